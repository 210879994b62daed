package vhost

import (
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"thump/broker/amqp"
)

// queueModel is what a queue is meant to do, by the plainest means: messages are
// numbers in the order of their publication, and the lowest ready one always goes
// first.
type queueModel struct {
	t         *rapid.T
	vhost     *VHost
	queue     *Queue
	published int
	ready     map[int]bool // the value says whether it was put back before
	unacked   map[int]Delivery
	settled   map[int]bool // acknowledged, rejected, purged or taken without ack
	consumers []*modelConsumer
	counts    Counts
}

// modelConsumer is a Receiver that checks each delivery against the model.
type modelConsumer struct {
	model     *queueModel
	consumer  *Consumer
	room      int
	held      int
	cancelled bool
}

func (c *modelConsumer) Cancelled(*Consumer) { c.model.t.Fatal("cancelled by the queue") }

func (c *modelConsumer) Deliver(_ *Consumer, d Delivery) bool {
	m, spec := c.model, c.consumer.spec
	if c.cancelled {
		m.t.Fatal("delivery after cancel")
	}
	if c.room == 0 {
		return false
	}
	c.room--
	m.take(d, spec.NoAck)
	for _, o := range m.consumers { // who waits with a higher priority goes first
		if o.consumer.waiting && o.consumer.priority > c.consumer.priority {
			m.t.Fatalf("delivered at priority %d while %d waits", c.consumer.priority, o.consumer.priority)
		}
	}
	if !spec.NoAck {
		if c.held++; spec.Prefetch > 0 && c.held > int(spec.Prefetch) {
			m.t.Fatalf("%d deliveries beyond prefetch %d", c.held, spec.Prefetch)
		}
	}
	m.counts.delivered(d.Redelivered, spec.NoAck)
	return true
}

// take checks that a message that leaves the line is the right one.
func (m *queueModel) take(d Delivery, noAck bool) {
	n, err := strconv.Atoi(string(d.Message.Body))
	if err != nil {
		m.t.Fatal(err)
	}
	putBack, ready := m.ready[n]
	switch {
	case m.settled[n]:
		m.t.Fatalf("%d delivered after it was settled", n)
	case !ready:
		m.t.Fatalf("%d delivered twice", n)
	case n != m.first():
		m.t.Fatalf("%d delivered before %d", n, m.first())
	case d.Redelivered != putBack:
		m.t.Fatalf("%d: redelivered %t, want %t", n, d.Redelivered, putBack)
	}
	delete(m.ready, n)
	if noAck {
		m.settled[n] = true
	} else {
		m.unacked[n] = d
	}
}

func (m *queueModel) first() int {
	first := m.published
	for n := range m.ready {
		first = min(first, n)
	}
	return first
}

// draw returns some unacknowledged deliveries, in any order, and takes them off
// their consumers' accounts.
func (m *queueModel) draw() (numbers []int, ds []Delivery) {
	for n := range m.unacked {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	if len(numbers) == 0 {
		m.t.Skip("nothing unacknowledged")
	}
	numbers = rapid.Permutation(numbers).Draw(m.t, "order")
	numbers = numbers[:rapid.IntRange(1, len(numbers)).Draw(m.t, "settled")]
	for _, n := range numbers {
		d := m.unacked[n]
		ds = append(ds, d)
		delete(m.unacked, n)
		for _, c := range m.consumers {
			if c.consumer == d.consumer {
				c.held--
			}
		}
	}
	return numbers, ds
}

func (m *queueModel) end(numbers []int) {
	for _, n := range numbers {
		m.settled[n] = true
	}
}

func (m *queueModel) publish(t *rapid.T) {
	m.t = t
	for range rapid.IntRange(1, 20).Draw(t, "count") {
		n := m.published
		m.published++
		m.counts.Published++
		m.ready[n] = false
		if _, _, err := m.vhost.Publish(&Message{Key: "q", Body: []byte(strconv.Itoa(n))}); err != nil {
			t.Fatal(err)
		}
	}
}

func (m *queueModel) consume(t *rapid.T) {
	m.t = t
	c := &modelConsumer{model: m, room: rapid.IntRange(0, 10).Draw(t, "room")}
	spec := ConsumerSpec{
		NoAck: rapid.Bool().Draw(t, "no ack"), Prefetch: uint16(rapid.IntRange(0, 3).Draw(t, "prefetch")),
		Args: amqp.Table{"x-priority": int64(rapid.IntRange(-1, 1).Draw(t, "priority"))},
	}
	var err error
	if c.consumer, err = m.vhost.Consume("q", spec, c); err != nil {
		t.Fatal(err)
	}
	m.consumers = append(m.consumers, c)
	c.consumer.Start()
}

func (m *queueModel) pick(t *rapid.T) *modelConsumer {
	m.t = t
	if len(m.consumers) == 0 {
		t.Skip("no consumer")
	}
	return rapid.SampledFrom(m.consumers).Draw(t, "consumer")
}

func (m *queueModel) resume(t *rapid.T) {
	c := m.pick(t)
	c.room += rapid.IntRange(0, 10).Draw(t, "room")
	c.consumer.Resume()
}

func (m *queueModel) cancel(t *rapid.T) {
	c := m.pick(t)
	if err := c.consumer.Cancel(); err != nil {
		t.Fatal(err)
	}
	c.cancelled = true
}

func (m *queueModel) get(t *rapid.T) {
	m.t = t
	noAck := rapid.Bool().Draw(t, "no ack")
	d, remaining, ok, err := m.vhost.Get("q", noAck, nil)
	if err != nil {
		t.Fatal(err)
	}
	if ok != (len(m.ready) > 0) {
		t.Fatalf("got a message: %t, %d ready", ok, len(m.ready))
	}
	if ok {
		m.take(d, noAck)
		m.counts.got(d.Redelivered, noAck)
		if remaining != len(m.ready) {
			t.Fatalf("%d remaining, want %d", remaining, len(m.ready))
		}
	}
}

func (m *queueModel) ack(t *rapid.T) {
	m.t = t
	numbers, ds := m.draw()
	m.end(numbers)
	m.counts.Acked += uint64(len(ds))
	m.queue.Ack(ds...)
}

func (m *queueModel) reject(t *rapid.T) {
	m.t = t
	numbers, ds := m.draw()
	m.end(numbers)
	m.counts.Rejected += uint64(len(ds))
	m.queue.Reject(ds...)
}

func (m *queueModel) requeue(t *rapid.T) {
	m.t = t
	numbers, ds := m.draw()
	for _, n := range numbers {
		m.ready[n] = true
	}
	m.counts.Requeued += uint64(len(ds))
	m.queue.Requeue(ds...)
}

func (m *queueModel) purge(t *rapid.T) {
	m.t = t
	n, err := m.vhost.PurgeQueue("q", nil)
	if err != nil || int(n) != len(m.ready) {
		t.Fatalf("purged %d, want %d (%v)", n, len(m.ready), err)
	}
	for n := range m.ready {
		m.settled[n] = true
	}
	clear(m.ready)
}

// check compares the accounts, and that nobody waits while a message does.
func (m *queueModel) check(t *rapid.T) {
	s := m.queue.State()
	if s.Ready != len(m.ready) || s.Unacked != len(m.unacked) {
		t.Fatalf("%d ready, %d unacked; want %d, %d", s.Ready, s.Unacked, len(m.ready), len(m.unacked))
	}
	if s.Counts != m.counts {
		t.Fatalf("counts %+v, want %+v", s.Counts, m.counts)
	}
	if total := len(m.ready) + len(m.unacked) + len(m.settled); total != m.published {
		t.Fatalf("%d messages of %d accounted for", total, m.published)
	}
	var hot, ready int64
	for n := range m.ready {
		ready += int64(len(strconv.Itoa(n)))
	}
	for n := range m.unacked {
		hot += int64(len(strconv.Itoa(n))) + storedOverhead
	}
	hot += ready + int64(len(m.ready))*storedOverhead
	if got := m.vhost.hot.Load(); got != hot || s.ReadyBytes != ready {
		t.Fatalf("%d bytes in memory, %d ready; want %d, %d", got, s.ReadyBytes, hot, ready)
	}
	for i, c := range m.consumers {
		full := !c.consumer.spec.NoAck && c.consumer.spec.Prefetch > 0 && c.held == int(c.consumer.spec.Prefetch)
		if len(m.ready) > 0 && !c.cancelled && !full && !c.consumer.stalled {
			t.Fatalf("consumer %d waits while %d are ready", i, len(m.ready))
		}
	}
}

func TestQueueModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, err := New(Config{Name: "/"}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.DeclareQueue(QueueSpec{Name: "q"}, nil); err != nil {
			t.Fatal(err)
		}
		q, _ := v.queue("q")
		m := &queueModel{
			t: t, vhost: v, queue: q,
			ready: make(map[int]bool), unacked: make(map[int]Delivery), settled: make(map[int]bool),
		}
		t.Repeat(map[string]func(*rapid.T){
			"publish": m.publish, "consume": m.consume, "resume": m.resume, "cancel": m.cancel, "get": m.get,
			"ack": m.ack, "reject": m.reject, "requeue": m.requeue, "purge": m.purge, "": m.check,
		})
	})
}
