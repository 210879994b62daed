package model

import (
	"fmt"
	"slices"
	"strings"
)

// message is one publish. Its number is unique and grows.
type message struct {
	number        int
	publisher     int // channel that published it
	step          int // of the run; publishers of one step run side by side
	persistent    bool
	exchange, key string
	size          int // of the body, bytes
}

// body is what the consumer must get, byte for byte.
func (m *message) body() []byte {
	b := fmt.Appendf(make([]byte, 0, m.size), "%d:", m.number)
	for i := len(b); i < m.size; i++ {
		b = append(b, byte(m.number+i))
	}
	return b
}

// item is the copy of a message in one queue.
type item struct {
	*message
	delivered bool // some client has had it: it must come with redelivered
	recovered bool // the broker has restarted since: it may come with redelivered
	uncertain bool // a crash may or may not have taken it; an audit finds out
	moving    bool // put back by one of several channels that close at once
}

// queue holds items; those that are not ready are in the hands of channels.
type queue struct {
	name                string
	durable, autoDelete bool
	gone, leaving       bool // leaving: the broker was stopped while it had consumers
	ready               map[int]*item
	held                map[int]*item
	settled             map[int]*item // forever
	unsynced            map[int]*item // settled since the last barrier: a crash may bring them back
	consumers           []*consumer
}

func newQueue(name string, durable, autoDelete bool) *queue {
	return &queue{
		name: name, durable: durable, autoDelete: autoDelete, ready: map[int]*item{}, held: map[int]*item{},
		settled: map[int]*item{}, unsynced: map[int]*item{},
	}
}

// settle ends an item.
func (q *queue) settle(i *item) {
	delete(q.ready, i.number)
	delete(q.held, i.number)
	q.settled[i.number], q.unsynced[i.number] = i, i
}

// snatched says whether messages may leave the queue without anybody's ack.
func (q *queue) snatched() bool {
	return slices.ContainsFunc(q.consumers, func(c *consumer) bool { return c.noAck })
}

// putBack makes an item ready again.
func (q *queue) putBack(i *item) {
	delete(q.held, i.number)
	q.ready[i.number] = i
}

// credit is how many of the ready items the consumers would take now.
func (q *queue) credit() int {
	total := 0
	for _, c := range q.consumers {
		total += min(c.credit(), len(q.ready)-total)
	}
	return total
}

// take checks that a delivery is of an item that is ready, says the truth about
// it, and takes it out of the line.
func (q *queue) take(d delivery, noAck bool) (*item, error) {
	number := 0
	if _, err := fmt.Sscanf(string(d.Body[:min(len(d.Body), 20)]), "%d:", &number); err != nil {
		return nil, fmt.Errorf("%s: body of an unknown message: %w", q.name, err)
	}
	i, ok := q.ready[number]
	switch {
	case q.settled[number] != nil:
		return nil, fmt.Errorf("%s: message %d delivered after its ack", q.name, number)
	case q.held[number] != nil:
		return nil, fmt.Errorf("%s: message %d delivered twice, redelivered %t", q.name, number, d.Redelivered)
	case !ok:
		return nil, fmt.Errorf("%s: message %d was not routed there", q.name, number)
	case string(d.Body) != string(i.body()), d.Exchange != i.exchange, d.RoutingKey != i.key:
		return nil, fmt.Errorf("%s: message %d is not what was published: %q %q, %d bytes", q.name, number, d.Exchange, d.RoutingKey, len(d.Body))
	case i.delivered && !d.Redelivered:
		return nil, fmt.Errorf("%s: message %d again without redelivered", q.name, number)
	case d.Redelivered && !i.delivered && !i.recovered:
		return nil, fmt.Errorf("%s: message %d the first time with redelivered", q.name, number)
	}
	i.delivered, i.uncertain = true, false
	delete(q.ready, number)
	if noAck {
		q.settle(i)
	} else {
		q.held[number] = i
	}
	return i, nil
}

// order is how far deliveries of one queue have come.
type order struct {
	step int         // the newest
	last map[int]int // number of the newest, by publisher
}

// admit checks that an item may follow those that were admitted: nothing of an
// earlier step does, nor an older one of the same publisher.
func (o *order) admit(i *item) error {
	if err := o.missed(i); err != nil {
		return err
	}
	if o.last == nil {
		o.last = map[int]int{}
	}
	if !i.moving {
		o.step, o.last[i.publisher] = i.step, i.number
	}
	return nil
}

// missed returns an error if the item should have come before those admitted.
func (o *order) missed(i *item) error {
	if last := o.last[i.publisher]; !i.moving && (i.step < o.step || i.number < last) {
		return fmt.Errorf("message %d of publisher %d, step %d, comes after one of step %d or after its number %d",
			i.number, i.publisher, i.step, o.step, last)
	}
	return nil
}

// inOrder checks what came out of a queue against itself and against what stayed.
func (q *queue) inOrder(streams map[*consumer][]*item) error {
	var all order
	for c, items := range streams {
		var o order
		for _, i := range items {
			if err := o.admit(i); err != nil {
				return fmt.Errorf("%s, consumer %s: %w", q.name, c.name(), err)
			}
			if !i.moving {
				all.reach(i)
			}
		}
	}
	for _, i := range q.ready {
		if err := all.missed(i); err != nil {
			return fmt.Errorf("%s: still waiting: %w", q.name, err)
		}
	}
	return nil
}

// reach notes an item whose place among those of other streams is unknown.
func (o *order) reach(i *item) {
	if o.last == nil {
		o.last = map[int]int{}
	}
	o.step = max(o.step, i.step)
	o.last[i.publisher] = max(o.last[i.publisher], i.number)
}

// exchange is what there is to bind to.
type exchange struct {
	kind    string
	durable bool
}

// binding leads from an exchange to a queue.
type binding struct{ exchange, queue, key string }

// topology is what is declared.
type topology struct {
	queues    map[string]*queue
	exchanges map[string]exchange
	bindings  map[binding]bool
}

func newTopology() topology {
	return topology{
		queues: map[string]*queue{}, bindings: map[binding]bool{},
		exchanges: map[string]exchange{"amq.topic": {"topic", true}, "amq.direct": {"direct", true}, "amq.fanout": {"fanout", true}},
	}
}

// route returns the queues that a message reaches.
func (t *topology) route(m *message) []*queue {
	if m.exchange == "" {
		if q := t.queues[m.key]; q != nil {
			return []*queue{q}
		}
		return nil
	}
	reached := map[string]bool{}
	for b := range t.bindings {
		if b.exchange == m.exchange && matches(t.exchanges[b.exchange].kind, b.key, m.key) {
			reached[b.queue] = true
		}
	}
	var queues []*queue
	for name := range reached {
		queues = append(queues, t.queues[name])
	}
	return queues
}

// matches says whether a binding's key takes a routing key, AMQP 0-9-1 §3.1.3.
func matches(kind, pattern, key string) bool {
	switch kind {
	case "fanout":
		return true
	case "direct":
		return pattern == key
	}
	return matchWords(strings.Split(pattern, "."), strings.Split(key, "."))
}

func matchWords(pattern, key []string) bool {
	switch {
	case len(pattern) == 0:
		return len(key) == 0
	case pattern[0] == "#":
		return matchWords(pattern[1:], key) || len(key) > 0 && matchWords(pattern, key[1:])
	}
	return len(key) > 0 && (pattern[0] == "*" || pattern[0] == key[0]) && matchWords(pattern[1:], key[1:])
}

// removeQueue ends a queue: what it held is lost, its consumers with it.
func (t *topology) removeQueue(q *queue) {
	delete(t.queues, q.name)
	q.gone = true
	for _, c := range q.consumers {
		delete(c.channel.consumers, c.tag)
	}
	q.consumers = nil
	for b := range t.bindings {
		if b.queue == q.name {
			delete(t.bindings, b)
		}
	}
}

func (t *topology) removeExchange(name string) {
	delete(t.exchanges, name)
	for b := range t.bindings {
		if b.exchange == name {
			delete(t.bindings, b)
		}
	}
}

// restart is what a restart leaves: the durable. With a crash it is not known
// which of the latest settlements reached the disk.
func (t *topology) restart(crash bool) {
	for name, x := range t.exchanges {
		if !x.durable {
			t.removeExchange(name)
		}
	}
	for _, q := range t.queues {
		q.consumers = nil
		if !q.durable {
			t.removeQueue(q)
			continue
		}
		q.restart(crash)
	}
}

func (q *queue) restart(crash bool) {
	for _, i := range q.held {
		q.putBack(i)
	}
	if crash {
		for number, i := range q.unsynced {
			delete(q.settled, number)
			i.uncertain = true
			q.ready[number] = i
		}
	}
	clear(q.unsynced)
	for number, i := range q.ready {
		i.recovered, i.moving = true, false
		if !i.persistent {
			delete(q.ready, number)
		}
	}
}
