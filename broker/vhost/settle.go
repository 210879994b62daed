package vhost

import (
	"math"

	"thump/broker/amqp"
	"thump/broker/journal"
)

// Settling. The deliveries of one call belong to the queue that the method is
// called on, and each is settled once.

// Ack ends deliveries: the messages are done with.
func (q *Queue) Ack(deliveries ...Delivery) {
	var room [64]uint64
	ids := room[:0]
	var spill []casualty
	q.mu.Lock()
	for i := range deliveries {
		d := &deliveries[i]
		q.settle(d)
		q.vhost.release(d.msg)
		if d.id != 0 {
			ids = append(ids, d.id)
		}
	}
	q.counts.Acked += uint64(len(deliveries))
	q.dispatch(&spill)
	q.mu.Unlock()
	if len(ids) > 0 {
		q.done(ids...)
	}
	q.vhost.bury(spill)
}

// Requeue puts messages back to where they were in the queue.
func (q *Queue) Requeue(deliveries ...Delivery) {
	var spill []casualty
	var returns []journal.Return
	q.mu.Lock()
	for i := range deliveries {
		d := &deliveries[i]
		q.settle(d)
		if q.deleted {
			q.forget(d.entry)
			continue
		}
		q.counts.Requeued++
		d.placed.redelivered = true
		if d.attempts < math.MaxUint16 {
			d.placed.attempts++
		}
		if int64(d.attempts) > q.rules.deliveryLimit {
			spill = append(spill, casualty{queue: q, entry: d.entry, reason: deliveryLimit})
			continue
		}
		q.line.putBack(d.placed)
		if q.rules.counts && d.id != 0 {
			returns = append(returns, journal.Return{ID: d.id, Count: d.attempts})
		}
	}
	q.noteReturns(returns) // before they are delivered, and perhaps done with
	q.dispatch(&spill)
	q.trim(&spill)
	q.mu.Unlock()
	q.vhost.bury(spill)
}

// noteReturns has the counts of what was put back survive a restart. A failure costs deliveries beyond the
// limit after one, never a message.
func (q *Queue) noteReturns(returns []journal.Return) {
	if len(returns) == 0 {
		return
	}
	if err := q.vhost.journal.Returned(q.id, returns...); err != nil {
		q.vhost.log.Error("journal does not take note of requeued messages",
			"vhost", q.vhost.cfg.Name, "queue", q.spec.Name, "messages", len(returns), "err", err)
	}
}

// Reject ends deliveries that nobody wants: they are dead-lettered if the queue
// says where to, else dropped.
func (q *Queue) Reject(deliveries ...Delivery) {
	dead := make([]casualty, 0, len(deliveries))
	q.mu.Lock()
	for i := range deliveries {
		q.settle(&deliveries[i])
		dead = append(dead, casualty{queue: q, entry: deliveries[i].entry, reason: rejected})
	}
	q.counts.Rejected += uint64(len(deliveries))
	q.dispatch(&dead)
	q.mu.Unlock()
	q.vhost.bury(dead)
}

// settle takes a delivery off the accounts.
func (q *Queue) settle(d *Delivery) {
	q.unacked--
	if d.consumer != nil {
		d.consumer.unacked--
		q.refresh(d.consumer)
	}
}

// Get takes one message, if there is one, and says how many remain. With noAck
// the delivery is settled already.
func (v *VHost) Get(queue string, noAck bool, o *Owner) (d Delivery, remaining int, ok bool, err error) {
	q, err := v.queueFor(queue, o)
	if err != nil {
		return Delivery{}, 0, false, err
	}
	var spill []casualty
	defer func() { v.bury(spill) }() // after the lock is released
	q.mu.Lock()
	defer q.mu.Unlock()
	q.use()
	q.age(&spill)
	p, m, err := q.takeReadable()
	if err != nil || m == nil {
		return Delivery{}, 0, false, err
	}
	q.counts.got(p.redelivered, noAck)
	if q.rules.counts {
		m = counted(m, p.attempts)
	}
	d = Delivery{Queue: q, Message: m, Redelivered: p.redelivered, placed: p}
	if noAck {
		q.forget(p.entry)
	} else {
		q.unacked++
		if p.id != 0 {
			v.release(p.msg)
			d.msg = nil
		}
	}
	return d, q.line.len(), true, nil
}

// counted returns a message with the header that quorum queues add to what was
// delivered before and put back: how often.
func counted(m *Message, attempts uint16) *Message {
	if attempts == 0 {
		return m
	}
	p, err := amqp.ParseProperties(m.Header)
	if err != nil {
		return m
	}
	if p.Headers == nil {
		p.Headers = amqp.Table{}
	}
	p.Headers["x-delivery-count"] = int64(attempts)
	header, err := p.Append(nil)
	if err != nil {
		return m
	}
	c := *m
	c.Header = header
	return &c
}
