package vhost

import (
	"fmt"
	"math"
	"slices"

	"thump/broker/amqp"
)

// overflow is what a full queue does, RabbitMQ's x-overflow.
type overflow string

const (
	dropHead         overflow = "drop-head"
	rejectPublish    overflow = "reject-publish"
	rejectPublishDLX overflow = "reject-publish-dlx"
)

// queueRules are the arguments of a queue, parsed.
type queueRules struct {
	maxLength  int64 // ready messages
	maxBytes   int64 // of their bodies
	messageTTL int64 // ms from a message's publish to its death
	lease      int64 // ms that the queue lives without use, RabbitMQ's x-expires
	overflow   overflow
	deadLetter *deadLetterTarget // nil: what is rejected or falls out is dropped

	maxPriority uint8 // 0: messages have no priorities
	single      bool  // one consumer at a time, RabbitMQ's x-single-active-consumer
	counts      bool  // deliveries carry x-delivery-count, as those of quorum queues

	overflowByDefault bool // no argument says overflow, so that a policy may
	limitByDefault    bool // the same of deliveryLimit

	deliveryLimit int64 // times that a message may be put back
	patience      int64 // ms that a delivery may stay without an ack, RabbitMQ's x-consumer-timeout; unlimited: the broker's
}

// priority returns the priority of a message within the queue's limit.
func (r *queueRules) priority(m *Message) uint8 { return min(amqp.Priority(m.Header), r.maxPriority) }

// deadLetterTarget is where dead messages go.
type deadLetterTarget struct {
	exchange string
	key      *string // nil: the key that the message had
}

const (
	unlimited = math.MaxInt64
	maxPeriod = math.MaxUint32 // RabbitMQ's longest time, ms
)

// over says whether so many ready messages and bytes are more than allowed.
func (r *queueRules) over(messages int, bytes int64) bool {
	return int64(messages) > r.maxLength || bytes > r.maxBytes
}

// queueArguments are those that enter the equivalence of a redeclare.
var queueArguments = []string{
	"x-expires", "x-message-ttl", "x-dead-letter-exchange", "x-dead-letter-routing-key", "x-max-length",
	"x-max-length-bytes", "x-overflow", "x-max-priority", "x-queue-mode", "x-queue-type",
	"x-single-active-consumer", "x-delivery-limit", "x-consumer-timeout",
}

// refusedArguments have a meaning in RabbitMQ that this broker does not give
// them. To ignore them would keep, lose or order messages otherwise than asked.
var refusedArguments = []string{
	"x-dead-letter-strategy", "x-max-age", "x-stream-max-segment-size-bytes",
}

// parseQueueRules checks and reads the arguments of a queue; what names it in
// errors. Arguments unknown to RabbitMQ are nobody's and pass.
func parseQueueRules(what string, spec QueueSpec) (queueRules, error) {
	for _, name := range refusedArguments {
		if _, given := spec.Args[name]; given {
			return queueRules{}, amqp.ConnectionError(amqp.NotImplemented, "argument '%s' of %s is not supported", name, what)
		}
	}
	if err := checkQueueType(what, spec); err != nil {
		return queueRules{}, err
	}
	p := argumentParser{what: what, args: spec.Args}
	rules := queueRules{
		maxLength:  p.limit("x-max-length"),
		maxBytes:   p.limit("x-max-length-bytes"),
		messageTTL: p.period("x-message-ttl", 0),
		lease:      p.period("x-expires", 1),
		patience:   p.limit("x-consumer-timeout"),
		overflow:   overflow(p.choice("x-overflow", string(dropHead), string(rejectPublish), string(rejectPublishDLX))),
	}
	p.choice("x-queue-mode", "default", "lazy")
	p.queueVersion()
	rules.deadLetter = p.deadLetter()
	rules.maxPriority = p.priorities()
	rules.single = p.flag("x-single-active-consumer")
	rules.deliveryLimit = p.deliveries()
	rules.counts = p.quorum()
	_, said := spec.Args["x-overflow"]
	_, limited := spec.Args["x-delivery-limit"]
	rules.overflowByDefault, rules.limitByDefault = !said, !limited
	return rules, p.err
}

// checkQueueType accepts what this broker's one kind of queue can stand for.
func checkQueueType(what string, spec QueueSpec) error {
	value, given := spec.Args["x-queue-type"]
	kind, text := value.(string)
	switch {
	case !given || kind == "classic":
		return nil
	case kind == "quorum":
		return checkQuorum(what, spec) // else a durable queue, which already confirms after fsync
	case kind == "stream":
		return amqp.ConnectionError(amqp.NotImplemented, "queue type 'stream' of %s is not supported", what)
	case !text:
		return invalidArgument(what, "x-queue-type", unacceptableType(value))
	}
	return invalidArgument(what, "x-queue-type", fmt.Sprintf("\"unsupported queue type '%s'\"", kind))
}

// checkQuorum refuses what a quorum queue cannot be.
func checkQuorum(what string, spec QueueSpec) error {
	for _, wrong := range []struct {
		property string
		is       bool
	}{{"auto-delete", spec.AutoDelete}, {"exclusive-owner", spec.Exclusive}, {"non-durable", !spec.Durable}} {
		if wrong.is {
			return amqp.ChannelError(amqp.PreconditionFailed, "invalid property '%s' for %s", wrong.property, what)
		}
	}
	return nil
}

// argumentParser reads arguments and keeps the first error.
type argumentParser struct {
	what string
	args amqp.Table
	err  error
}

func (p *argumentParser) fail(name, problem string) {
	if p.err == nil {
		p.err = invalidArgument(p.what, name, problem)
	}
}

// limit reads a number that is not negative; without it there is no limit.
func (p *argumentParser) limit(name string) int64 {
	value, given := p.args[name]
	if !given {
		return unlimited
	}
	n, ok := integer(value)
	switch {
	case !ok:
		p.fail(name, notInteger(value))
	case n < 0:
		p.fail(name, fmt.Sprintf("{value_negative,%d}", n))
	}
	return n
}

// whole reads any whole number.
func (p *argumentParser) whole(name string, otherwise int64) int64 {
	value, given := p.args[name]
	if !given {
		return otherwise
	}
	n, ok := integer(value)
	if !ok {
		p.fail(name, notInteger(value))
	}
	return n
}

// period reads milliseconds, at least so many; without it the time is unlimited.
func (p *argumentParser) period(name string, least int64) int64 {
	n := p.limit(name)
	switch {
	case n == unlimited:
	case n < least:
		p.fail(name, fmt.Sprintf("{value_zero,%d}", n))
	case n > maxPeriod:
		p.fail(name, fmt.Sprintf("{value_too_large,%d}", n))
	}
	return n
}

// quorum says whether the queue is declared as a quorum queue.
func (p *argumentParser) quorum() bool { return p.args["x-queue-type"] == "quorum" }

// onlyOf refuses an argument that the other type of queue has.
func (p *argumentParser) onlyOf(name string, quorum bool) (value any, given bool) {
	value, given = p.args[name]
	if given && quorum != p.quorum() && p.err == nil {
		kind := "rabbit_classic_queue"
		if p.quorum() {
			kind = "rabbit_quorum_queue"
		}
		p.err = amqp.ChannelError(amqp.PreconditionFailed, "invalid arg '%s' for %s of queue type %s", name, p.what, kind)
	}
	return value, given
}

// priorities reads x-max-priority.
func (p *argumentParser) priorities() uint8 {
	value, given := p.onlyOf("x-max-priority", false)
	if !given {
		return 0
	}
	n, ok := integer(value)
	switch {
	case !ok:
		p.fail("x-max-priority", notInteger(value))
	case n < 0:
		p.fail("x-max-priority", fmt.Sprintf("{value_negative,%d}", n))
	case n > 255:
		p.fail("x-max-priority", fmt.Sprintf("{max_value_exceeded,%d}", n))
	}
	return uint8(n)
}

// defaultDeliveryLimit is RabbitMQ 4's for quorum queues.
const defaultDeliveryLimit = 20

// deliveries reads x-delivery-limit, which only quorum queues have; -1 is none.
func (p *argumentParser) deliveries() int64 {
	value, given := p.onlyOf("x-delivery-limit", true)
	switch n, ok := integer(value); {
	case !given && p.quorum():
		return defaultDeliveryLimit
	case !given || ok && n < 0:
		return unlimited
	case !ok:
		p.fail("x-delivery-limit", notInteger(value))
		return unlimited
	default:
		return n
	}
}

func (p *argumentParser) flag(name string) bool {
	value, given := p.args[name]
	set, ok := value.(bool)
	if given && !ok {
		p.fail(name, unacceptableType(value))
	}
	return set
}

// choice reads one of several words, the first if there is none.
func (p *argumentParser) choice(name string, words ...string) string {
	value, given := p.args[name]
	if !given {
		return words[0]
	}
	word, ok := value.(string)
	switch {
	case !ok:
		p.fail(name, unacceptableType(value))
	case !slices.Contains(words, word):
		p.fail(name, unknownWord(name, word))
	}
	return word
}

// unknownWord is RabbitMQ's problem with a word that has no meaning.
func unknownWord(name, word string) string {
	if name == "x-overflow" {
		return "invalid_overflow"
	}
	return fmt.Sprintf("\"unsupported queue mode '%s'\"", word)
}

// queueVersion checks which format of RabbitMQ's classic queues is asked for:
// here they are all the same.
func (p *argumentParser) queueVersion() {
	value, given := p.args["x-queue-version"]
	switch n, ok := integer(value); {
	case given && !ok:
		p.fail("x-queue-version", notInteger(value))
	case given && n != 1 && n != 2:
		p.fail("x-queue-version", fmt.Sprintf("\"unsupported queue version '%d'\"", n))
	}
}

// text reads a string; nil if there is none.
func (p *argumentParser) text(name string) *string {
	value, given := p.args[name]
	if !given {
		return nil
	}
	s, ok := value.(string)
	if !ok {
		p.fail(name, unacceptableType(value))
	}
	return &s
}

func (p *argumentParser) deadLetter() *deadLetterTarget {
	if value, given := p.args["x-dead-letter-exchange"]; given {
		if err := checkExchangeName(p.what, "x-dead-letter-exchange", value); err != nil && p.err == nil {
			p.err = err
		}
	}
	exchange, key := p.text("x-dead-letter-exchange"), p.text("x-dead-letter-routing-key")
	if exchange == nil {
		if key != nil {
			p.fail("x-dead-letter-routing-key", "routing_key_but_no_dlx_defined")
		}
		return nil
	}
	return &deadLetterTarget{exchange: *exchange, key: key}
}

// checkExchangeName refuses an argument that should name an exchange and is no text.
func checkExchangeName(what, argument string, value any) error {
	if _, ok := value.(string); ok {
		return nil
	}
	return amqp.ChannelError(amqp.PreconditionFailed, "invalid type '%s' for arg '%s' in %s", fieldType(value), argument, what)
}

// invalidArgument returns RabbitMQ's error for an argument that it cannot use.
func invalidArgument(what, name, problem string) error {
	return amqp.ChannelError(amqp.PreconditionFailed, "invalid arg '%s' for %s: %s", name, what, problem)
}

func unacceptableType(v any) string { return fmt.Sprintf("{unacceptable_type,%s}", fieldType(v)) }
