package broker

import (
	"context"
	"errors"
	"os"
	"time"

	"thump/broker/amqp"
)

// Delivery acknowledgement timeout, a RabbitMQ extension: a channel that holds a
// delivery for too long without an ack is closed, so that others get it.

// overdue looks after the age of a channel's deliveries without a time in each:
// every so often it notes the last tag. It is guarded by outbound.mu.
type overdue struct {
	marks []mark // of the time within the timeout, oldest first
	tag   uint64 // deliveries up to this one are older than the timeout
	found bool   // one of them is unacknowledged
}

type mark struct {
	tag uint64
	at  time.Time
}

// marksPerTimeout is how exact the timeout is kept.
const marksPerTimeout = 20

// watchDeliveries runs until ctx ends.
func (b *Broker) watchDeliveries(ctx context.Context) {
	timeout := b.config.ConsumerTimeout.D()
	if timeout <= 0 {
		return
	}
	ticks := time.NewTicker(max(timeout/marksPerTimeout, time.Millisecond))
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticks.C:
			for _, c := range b.open() {
				c.findOverdue(now, timeout)
			}
		}
	}
}

// findOverdue has the reader close the channels that hold a delivery for too long.
func (c *connection) findOverdue(now time.Time, timeout time.Duration) {
	if c.closing.Load() { // the close has a deadline of its own
		return
	}
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	for _, ch := range c.channels {
		if ch.noteAgeLocked(now, timeout) {
			c.interrupted.Store(true)
			_ = c.conn.SetReadDeadline(now) // wakes the reader; a failure shows at its read
		}
	}
}

func (ch *channel) noteAgeLocked(now time.Time, timeout time.Duration) (found bool) {
	o := &ch.overdue
	for len(o.marks) > 0 && now.Sub(o.marks[0].at) >= timeout {
		o.tag = o.marks[0].tag
		o.marks = o.marks[1:]
	}
	if last := ch.lastTag; len(o.marks) == 0 && last > o.tag || len(o.marks) > 0 && last > o.marks[len(o.marks)-1].tag {
		o.marks = append(o.marks, mark{tag: last, at: now})
	}
	if o.found || ch.closed || ch.unacked.count() == 0 || ch.unacked.list[ch.unacked.head].tag > o.tag {
		return false
	}
	o.found = true
	return true
}

// wasInterrupted reports whether a read failed because there are channels to
// close, and lets the next read wait again.
func (c *connection) wasInterrupted(err error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) || !c.interrupted.Swap(false) {
		return false
	}
	deadline := time.Time{}
	if c.closing.Load() { // the close has a deadline of its own
		deadline = time.Now().Add(closeTimeout)
	}
	return c.conn.SetReadDeadline(deadline) == nil
}

// failOverdue closes the channels that findOverdue has found.
func (c *connection) failOverdue() {
	timeout := c.broker.config.ConsumerTimeout.D()
	for _, ch := range c.channels {
		c.out.mu.Lock()
		found := ch.overdue.found
		c.out.mu.Unlock()
		if found && !ch.closing {
			ch.fail(amqp.ChannelError(amqp.PreconditionFailed,
				"delivery acknowledgement on channel %d timed out. Timeout value used: %d ms."+
					" This timeout value can be configured, see consumers doc guide to learn more", ch.id, timeout.Milliseconds()))
		}
	}
}
