package vhost

import (
	"cmp"
	"slices"
	"sync/atomic"

	"thump/broker/amqp"
)

// Counts are totals of messages since the start of the process.
type Counts struct {
	Published      uint64 // came in
	Delivered      uint64 // to consumers that acknowledge
	DeliveredNoAck uint64
	Got            uint64 // by basic.get, to be acknowledged
	GotNoAck       uint64
	Acked          uint64
	Requeued       uint64
	Redelivered    uint64 // of those delivered or got, again
	Rejected       uint64 // by consumers, for good
	Dropped        uint64 // from the head of a full queue
	Expired        uint64
}

func (c *Counts) delivered(redelivered, noAck bool) {
	c.count(&c.Delivered, &c.DeliveredNoAck, redelivered, noAck)
}

func (c *Counts) got(redelivered, noAck bool) {
	c.count(&c.Got, &c.GotNoAck, redelivered, noAck)
}

func (c *Counts) count(acked, unacked *uint64, redelivered, noAck bool) {
	if noAck {
		*unacked++
	} else {
		*acked++
	}
	if redelivered {
		c.Redelivered++
	}
}

func (c *Counts) add(o Counts) {
	c.Published += o.Published
	c.Delivered += o.Delivered
	c.DeliveredNoAck += o.DeliveredNoAck
	c.Got += o.Got
	c.GotNoAck += o.GotNoAck
	c.Acked += o.Acked
	c.Requeued += o.Requeued
	c.Redelivered += o.Redelivered
	c.Rejected += o.Rejected
	c.Dropped += o.Dropped
	c.Expired += o.Expired
}

// totals are what no queue counts.
type totals struct {
	unroutable, rejected, deadLettered atomic.Uint64

	retired Counts // of queues that are gone; guarded by VHost.mu
}

// State is a virtual host at one moment.
type State struct {
	Counts                              // of all queues, those that are gone included
	Ready, Unacked               int    // messages
	ReadyBytes                   int64  // bodies of the ready ones
	MemoryBytes                  int64  // messages held in memory
	Unroutable                   uint64 // messages that matched no queue
	RejectedFull                 uint64 // publishes that a full queue turned away
	DeadLettered                 uint64
	Queues, Exchanges, Consumers int
}

// State sums up the virtual host.
func (v *VHost) State() State {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := State{
		Counts:       v.totals.retired,
		MemoryBytes:  v.hot.Load(),
		Unroutable:   v.totals.unroutable.Load(),
		RejectedFull: v.totals.rejected.Load(),
		DeadLettered: v.totals.deadLettered.Load(),
		Exchanges:    v.exchanges.Load().size,
	}
	for _, q := range v.queues.Load().all() {
		state := q.State()
		s.Counts.add(state.Counts)
		s.Queues++
		s.Ready += state.Ready
		s.Unacked += state.Unacked
		s.ReadyBytes += state.ReadyBytes
		s.Consumers += state.Consumers
	}
	return s
}

// QueueState is a queue at one moment.
type QueueState struct {
	QueueSpec
	Owner          string // connection of an exclusive queue
	Policy         string // that applies; "": none
	OperatorPolicy string // the same
	ActiveConsumer string // tag, of a queue with x-single-active-consumer
	Ready, Unacked int
	ReadyBytes     int64 // bodies; of messages from before the start, properties too
	Consumers      int
	Counts         Counts
}

// State returns the state of the queue.
func (q *Queue) State() QueueState {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := QueueState{
		QueueSpec: q.spec, Ready: q.line.len(), Unacked: q.unacked, ReadyBytes: q.line.bytes,
		Consumers: len(q.consumers), Counts: q.counts,
	}
	s.Policy, s.OperatorPolicy = q.policy, q.operatorPolicy
	if q.owner != nil {
		s.Owner = q.owner.Name
	}
	if q.active != nil {
		s.ActiveConsumer = q.active.spec.Tag
	}
	return s
}

// Queues returns the queues, by name.
func (v *VHost) Queues() []QueueState {
	var list []QueueState
	for _, q := range v.queues.Load().all() {
		list = append(list, q.State())
	}
	slices.SortFunc(list, func(a, b QueueState) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// ExchangeState is an exchange at one moment.
type ExchangeState struct {
	ExchangeSpec
	Policy    string // that applies; "": none
	Published uint64 // by clients
	Routed    uint64 // of these, to at least one queue
}

// Exchanges returns the exchanges, by name.
func (v *VHost) Exchanges() []ExchangeState {
	v.mu.Lock()
	defer v.mu.Unlock()
	var list []ExchangeState
	for _, x := range v.exchanges.Load().all() {
		list = append(list, ExchangeState{ExchangeSpec: x.spec, Policy: x.policy, Published: x.published.Load(), Routed: x.routed.Load()})
	}
	slices.SortFunc(list, func(a, b ExchangeState) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// Bindings returns the bindings by source, destination and key. Each queue's
// binding to the default exchange is among them.
func (v *VHost) Bindings() []BindingSpec {
	v.mu.Lock()
	defer v.mu.Unlock()
	var list []BindingSpec
	for name := range v.queues.Load().all() {
		list = append(list, BindingSpec{Destination: name, Key: name, Args: amqp.Table{}})
	}
	for _, x := range v.exchanges.Load().all() {
		for _, b := range x.outbound {
			list = append(list, b.spec)
		}
	}
	slices.SortFunc(list, func(a, b BindingSpec) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Destination, b.Destination),
			cmp.Compare(a.Key, b.Key), cmp.Compare(a.identity(), b.identity()))
	})
	return list
}

// ConsumerState is a consumer at one moment.
type ConsumerState struct {
	ConsumerSpec
	Queue   string
	Unacked int
}

// Consumers returns the consumers by queue, in the order of their arrival.
func (v *VHost) Consumers() []ConsumerState {
	var list []ConsumerState
	for _, q := range v.queues.Load().all() {
		list = append(list, q.consumerStates()...)
	}
	slices.SortStableFunc(list, func(a, b ConsumerState) int { return cmp.Compare(a.Queue, b.Queue) })
	return list
}

func (q *Queue) consumerStates() []ConsumerState {
	q.mu.Lock()
	defer q.mu.Unlock()
	var list []ConsumerState
	for _, c := range q.consumers {
		list = append(list, ConsumerState{ConsumerSpec: c.spec, Queue: q.spec.Name, Unacked: c.unacked})
	}
	return list
}
