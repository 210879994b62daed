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

// clockTick is the unit of the clock that deliveries are stamped with.
const clockTick = 100 * time.Millisecond

// looksPerTimeout is how often within the shortest timeout deliveries are looked at.
const looksPerTimeout = 20

// overdue is the timeout that a delivery of the channel has outlived; 0: none has. It
// is guarded by outbound.mu.
type overdue time.Duration

// watchDeliveries keeps the clock until ctx ends, and looks for what is overdue.
func (b *Broker) watchDeliveries(ctx context.Context) {
	ticks := time.NewTicker(clockTick)
	defer ticks.Stop()
	started := time.Now()
	looked := started
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticks.C:
			b.clock.Store(uint32(now.Sub(started) / clockTick))
			shortest := b.shortestPatience()
			if shortest > 0 && now.Sub(looked) >= shortest/looksPerTimeout {
				looked = now
				for _, c := range b.open() {
					c.findOverdue(shortest)
				}
			}
		}
	}
}

// shortestPatience returns the shortest timeout in force; 0: there is none.
func (b *Broker) shortestPatience() time.Duration {
	shortest := b.config.ConsumerTimeout.D()
	for _, v := range b.storage.all() {
		if d, some := v.ShortestPatience(); some && (shortest <= 0 || d < shortest) {
			shortest = d
		}
	}
	return shortest
}

// findOverdue has the reader close the channels that hold a delivery for too long.
func (c *connection) findOverdue(shortest time.Duration) {
	if c.closing.Load() { // the close has a deadline of its own
		return
	}
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	for _, ch := range c.channels {
		if ch.overdue != 0 || ch.closed {
			continue
		}
		if ch.overdue = ch.findOverdueLocked(shortest); ch.overdue != 0 {
			c.interrupted.Store(true)
			_ = c.conn.SetReadDeadline(time.Now()) // wakes the reader; a failure shows at its read
		}
	}
}

// findOverdueLocked looks at the deliveries that are older than the shortest timeout.
func (ch *channel) findOverdueLocked(shortest time.Duration) overdue {
	now := ch.conn.broker.clock.Load()
	usual := ch.conn.broker.config.ConsumerTimeout.D()
	for i := range ch.unacked.list[ch.unacked.head:] {
		p := &ch.unacked.list[ch.unacked.head+i]
		if p.settled {
			continue
		}
		age := time.Duration(now-p.since) * clockTick
		if age < shortest {
			break // and so are those behind it
		}
		if patience := p.delivery.Patience(usual); patience > 0 && age >= patience {
			return overdue(patience)
		}
	}
	return 0
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
	for _, ch := range c.channels {
		c.out.mu.Lock()
		timeout := time.Duration(ch.overdue)
		c.out.mu.Unlock()
		if timeout != 0 && !ch.closing {
			ch.fail(amqp.ChannelError(amqp.PreconditionFailed,
				"delivery acknowledgement on channel %d timed out. Timeout value used: %d ms."+
					" This timeout value can be configured, see consumers doc guide to learn more", ch.id, timeout.Milliseconds()))
		}
	}
}
