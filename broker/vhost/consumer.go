package vhost

import (
	"thump/broker/amqp"
)

// Receiver takes deliveries: the session's channel. Its methods are called with
// the queue's lock held; they must not block and must not call the vhost.
type Receiver interface {
	// Deliver takes one message. False means that there is no room now; the
	// queue keeps the message and skips the consumer until Consumer.Resume.
	Deliver(c *Consumer, d Delivery) bool
	// Cancelled says that the queue was deleted under the consumer.
	Cancelled(c *Consumer)
}

// Delivery is a message handed to a receiver or by Get. It must be settled once,
// by Ack, Requeue or Reject of its queue, unless it was handed out without
// acknowledgement.
type Delivery struct {
	Queue       *Queue
	Message     *Message // within Deliver borrowed: clear it before the delivery is kept
	Redelivered bool

	consumer *Consumer // nil: from Get
	placed
}

// ConsumerSpec is a consumer as basic.consume asks for it.
type ConsumerSpec struct {
	Tag       string
	NoAck     bool
	Exclusive bool
	Prefetch  uint16 // unacknowledged deliveries at most; 0: no limit
	Args      amqp.Table
	Owner     *Owner
}

// Consumer takes messages from one queue.
type Consumer struct {
	// static after construction
	spec     ConsumerSpec
	queue    *Queue
	receiver Receiver
	priority int64 // RabbitMQ's x-priority
	patience int64 // ms, RabbitMQ's x-consumer-timeout; unlimited: the queue's

	// guarded by queue.mu
	started   bool
	stalled   bool // Deliver refused
	cancelled bool
	waiting   bool // stands in queue.rotation
	unacked   int
}

// Spec returns what the consumer was asked for.
func (c *Consumer) Spec() ConsumerSpec { return c.spec }

// Queue returns the queue that is consumed.
func (c *Consumer) Queue() *Queue { return c.queue }

// Consume adds a consumer to a queue. Nothing is delivered before Start.
func (v *VHost) Consume(queue string, spec ConsumerSpec, r Receiver) (*Consumer, error) {
	q, err := v.queueFor(queue, spec.Owner)
	if err != nil {
		return nil, err
	}
	args := argumentParser{what: v.text("queue", queue), args: spec.Args}
	priority, patience := args.whole("x-priority", 0), args.limit("x-consumer-timeout")
	if args.err != nil {
		return nil, args.err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.deleted {
		return nil, amqp.ChannelError(amqp.NotFound, "no %s", v.text("queue", queue))
	}
	if spec.Exclusive && q.rules.single || len(q.consumers) > 0 && (spec.Exclusive || q.consumers[0].spec.Exclusive) {
		return nil, amqp.ChannelError(amqp.AccessRefused, "%s in exclusive use", v.text("queue", queue))
	}
	c := &Consumer{spec: spec, queue: q, receiver: r, priority: priority, patience: patience}
	v.foresee(patience)
	q.consumers = append(q.consumers, c)
	q.elect()
	q.use()
	return c, nil
}

// Start lets deliveries begin.
func (c *Consumer) Start() { c.wake(func() { c.started = true }) }

// Resume says that there is room again after Deliver returned false.
func (c *Consumer) Resume() { c.wake(func() { c.stalled = false }) }

// wake makes a change after which the consumer may take messages.
func (c *Consumer) wake(change func()) {
	q := c.queue
	var spill []casualty
	q.mu.Lock()
	change()
	q.refresh(c)
	q.dispatch(&spill)
	q.mu.Unlock()
	q.vhost.bury(spill)
}

// Cancel ends deliveries. What is unacknowledged stays so until it is settled.
// When the last consumer of an auto-delete queue goes, so does the queue.
func (c *Consumer) Cancel() error {
	q := c.queue
	var spill []casualty
	q.mu.Lock()
	left := !c.cancelled
	c.cancelled = true
	q.consumers = remove(q.consumers, c)
	q.rotation.remove(c)
	if q.active == c {
		q.active = nil
		q.elect()
		q.dispatch(&spill)
	}
	q.use()
	orphan := left && q.spec.AutoDelete && len(q.consumers) == 0 && !q.deleted
	q.mu.Unlock()
	q.vhost.bury(spill)
	if orphan {
		return q.vhost.deleteIf(q, func() bool { return true })
	}
	return nil
}

// ready says whether the consumer may be offered a message.
func (c *Consumer) ready() bool {
	credit := c.spec.NoAck || c.spec.Prefetch == 0 || c.unacked < int(c.spec.Prefetch)
	passive := c.queue.rules.single && c.queue.active != c
	return c.started && !c.stalled && !c.cancelled && credit && !passive
}

// elect chooses the one consumer that a queue with x-single-active-consumer
// delivers to: who came first stays it to its end.
func (q *Queue) elect() {
	if q.rules.single && q.active == nil && len(q.consumers) > 0 {
		q.active = q.consumers[0]
		q.refresh(q.active)
	}
}
