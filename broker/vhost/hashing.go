package vhost

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"time"

	"thump/broker/amqp"
)

// The consistent-hash exchange, a RabbitMQ extension: a message goes to exactly
// one of the destinations, always the same for the same key. The key of a binding
// is its weight, the number of points that it has on the ring.

// maxHashPoints bounds the points of one binding.
const maxHashPoints = 10000

// hashMatcher is a ring of points; a message goes to the first point that is not
// below its own hash.
type hashMatcher struct {
	header, property string // what is hashed instead of the routing key; at most one is set
	bindings         []*binding
	ring             []hashPoint // by place
	to               []destinations
}

type hashPoint struct {
	place uint64
	index int // of its destination in to
}

// newHashMatcher reads the arguments of the exchange.
func newHashMatcher(args amqp.Table) (matcher, error) {
	header, hasHeader := args["hash-header"].(string)
	property, hasProperty := args["hash-property"].(string)
	switch {
	case hasHeader && hasProperty:
		return nil, amqp.ChannelError(amqp.PreconditionFailed, "hash-header and hash-property are mutually exclusive")
	case hasProperty && !slices.Contains([]string{"correlation_id", "message_id", "timestamp"}, property):
		return nil, amqp.ChannelError(amqp.PreconditionFailed, "Unsupported property: %s", property)
	}
	return hashMatcher{header: header, property: property}, nil
}

// checkHashKey checks the key of a binding to the exchange: it is its weight.
func checkHashKey(key string) error {
	n, err := strconv.Atoi(key)
	switch {
	case err != nil:
		return amqp.ChannelError(amqp.PreconditionFailed, `The binding key must be an integer: <<"%s">>`, key)
	case n < 1:
		return amqp.ChannelError(amqp.PreconditionFailed, "The binding key must be greater than 0")
	case n > maxHashPoints:
		return amqp.ChannelError(amqp.PreconditionFailed, "The binding key must not be greater than %d", maxHashPoints)
	}
	return nil
}

func (h hashMatcher) match(key string, header []byte) *destinations {
	if len(h.ring) == 0 {
		return nowhere
	}
	place := hashOf(h.subject(key, header))
	i, _ := slices.BinarySearchFunc(h.ring, place, func(p hashPoint, place uint64) int { return cmp.Compare(p.place, place) })
	if i == len(h.ring) {
		i = 0
	}
	return &h.to[h.ring[i].index]
}

// subject returns what of a message is hashed.
func (h hashMatcher) subject(key string, header []byte) string {
	if h.header == "" && h.property == "" {
		return key
	}
	p, err := amqp.ParseProperties(header)
	if err != nil {
		return ""
	}
	switch h.property {
	case "correlation_id":
		return p.CorrelationID
	case "message_id":
		return p.MessageID
	case "timestamp":
		return p.Timestamp.Format(time.RFC3339)
	}
	value, given := p.Headers[h.header]
	if !given {
		return ""
	}
	return fmt.Sprint(value)
}

// hashOf does not change from one start to the next, nor from one version.
func hashOf(s string) uint64 {
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(s)) // never fails
	h := sum.Sum64()
	h ^= h >> 33 // fnv alone leaves similar names close together
	h *= 0xff51afd7ed558ccd
	return h ^ h>>33
}

func (h hashMatcher) with(b *binding) matcher {
	return h.rebuilt(append(slices.Clip(h.bindings), b))
}

func (h hashMatcher) without(b *binding) matcher { return h.rebuilt(remove(h.bindings, b)) }

// rebuilt returns the matcher with other bindings. The points depend on the
// destination's name alone, so that they stay where they are when others come.
func (h hashMatcher) rebuilt(bindings []*binding) matcher {
	h.bindings, h.ring, h.to = bindings, nil, nil
	for i, b := range bindings {
		weight, _ := strconv.Atoi(b.spec.Key) // checked when it was bound
		d := destinations{}
		if b.queue != nil {
			d.queues = []*Queue{b.queue}
		} else {
			d.exchanges = []*exchange{b.exchange}
		}
		h.to = append(h.to, d)
		for n := range weight {
			h.ring = append(h.ring, hashPoint{place: hashOf(fmt.Sprintf("%d:%s", n, b.spec.Destination)), index: i})
		}
	}
	slices.SortFunc(h.ring, func(a, b hashPoint) int { return cmp.Compare(a.place, b.place) })
	return h
}
