package vhost

import (
	"fmt"
	"slices"

	"thump/broker/amqp"
)

// BindingSpec is a binding as it is declared: messages that match Key and Args
// flow from the exchange Source to the queue, or exchange, Destination.
type BindingSpec struct {
	Source      string
	Destination string
	ToExchange  bool // Destination is an exchange (RabbitMQ extension)
	Key         string
	Args        amqp.Table
}

// identity tells bindings of one source apart: AMQP allows any number between
// the same two, by key and arguments.
func (s BindingSpec) identity() string {
	kind := "queue"
	if s.ToExchange {
		kind = "exchange"
	}
	arguments := ""
	if len(s.Args) > 0 {
		arguments = fmt.Sprintf("%#v", s.Args) // fmt sorts the keys
	}
	return fmt.Sprintf("%s %q %q %s", kind, s.Destination, s.Key, arguments)
}

// binding is static after construction. Either queue or exchange is set.
type binding struct {
	spec     BindingSpec
	id       string // identity within the source
	source   *exchange
	queue    *Queue
	exchange *exchange
	headers  headerPattern // of a headers exchange
}

// durable says whether the binding survives a restart: both ends must.
func (b *binding) durable() bool {
	if b.queue != nil {
		return b.source.spec.Durable && b.queue.persistent()
	}
	return b.source.spec.Durable && b.exchange.spec.Durable
}

// inbound returns the set of bindings that lead to the same destination.
func (b *binding) inbound() map[*binding]struct{} {
	if b.queue != nil {
		return b.queue.inbound
	}
	return b.exchange.inbound
}

// destinations are distinct queues and exchanges. They are immutable.
type destinations struct {
	queues    []*Queue
	exchanges []*exchange
}

var nowhere = new(destinations)

func (d *destinations) none() bool { return len(d.queues) == 0 && len(d.exchanges) == 0 }

// bindingSet is an immutable set of bindings that match together, and the
// distinct destinations that they lead to.
type bindingSet struct {
	bindings []*binding
	to       destinations
}

// leadsTo says whether some binding of the set has the destination of b.
func (s bindingSet) leadsTo(b *binding) bool {
	return slices.ContainsFunc(s.bindings, func(o *binding) bool {
		return o.queue == b.queue && o.exchange == b.exchange
	})
}

func (s bindingSet) with(b *binding) bindingSet {
	if !s.leadsTo(b) {
		if b.queue != nil {
			s.to.queues = append(slices.Clip(s.to.queues), b.queue)
		} else {
			s.to.exchanges = append(slices.Clip(s.to.exchanges), b.exchange)
		}
	}
	s.bindings = append(slices.Clip(s.bindings), b)
	return s
}

func (s bindingSet) without(b *binding) bindingSet {
	s.bindings = remove(s.bindings, b)
	if !s.leadsTo(b) {
		s.to.queues = remove(s.to.queues, b.queue)
		s.to.exchanges = remove(s.to.exchanges, b.exchange)
	}
	return s
}

// remove returns a copy of list without v, or list itself.
func remove[T comparable](list []T, v T) []T {
	i := slices.Index(list, v)
	if i < 0 {
		return list
	}
	return slices.Concat(list[:i], list[i+1:])
}

// distinct collects destinations from several sets, each once.
type distinct[T comparable] struct {
	list []T
	seen map[T]struct{} // of list, once it is long
}

// linear is the length up to which a list is searched rather than a map.
const linear = 16

func (d *distinct[T]) add(items []T) {
	for _, item := range items {
		if !d.has(item) {
			d.list = append(d.list, item)
			if d.seen != nil {
				d.seen[item] = struct{}{}
			}
		}
	}
}

func (d *distinct[T]) has(item T) bool {
	if len(d.list) <= linear {
		return slices.Contains(d.list, item)
	}
	if d.seen == nil {
		d.seen = make(map[T]struct{}, 2*len(d.list))
		for _, item := range d.list {
			d.seen[item] = struct{}{}
		}
	}
	_, ok := d.seen[item]
	return ok
}
