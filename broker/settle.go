package broker

import (
	"slices"
	"strings"

	"thump/broker/amqp"
	"thump/broker/vhost"
)

// settlement is what becomes of deliveries of one queue.
type settlement func(*vhost.Queue, ...vhost.Delivery)

// The settlements.
var (
	ack     settlement = (*vhost.Queue).Ack
	requeue settlement = (*vhost.Queue).Requeue
	reject  settlement = (*vhost.Queue).Reject
)

// rejection returns what basic.nack and basic.reject ask for.
func rejection(again bool) settlement {
	if again {
		return requeue
	}
	return reject
}

// settle takes deliveries off the channel, AMQP 0-9-1 §1.8.3.13.
func (ch *channel) settle(tag uint64, multiple bool, become settlement) error {
	if ch.tx != nil {
		return ch.settleInTransaction(tag, multiple, become)
	}
	return ch.settleNow(tag, multiple, become)
}

func (ch *channel) settleNow(tag uint64, multiple bool, become settlement) error {
	out := ch.conn.out
	out.mu.Lock()
	ds, ok := ch.unacked.take(ch.taken[:0], tag, multiple)
	ch.settled += uint64(len(ds))
	stalled := ch.takeStalledLocked()
	out.mu.Unlock()
	if !ok {
		return amqp.ChannelError(amqp.PreconditionFailed, "unknown delivery tag %d", tag)
	}
	ch.conn.counts.settled += uint64(len(ds))
	eachQueue(ds, become)
	clear(ds)
	ch.taken = ds[:0]
	resume(stalled)
	return nil
}

// takeStalledLocked returns the consumers that the channel's limit has held
// back, if there is room again.
func (ch *channel) takeStalledLocked() []*vhost.Consumer {
	if len(ch.stalled) == 0 || ch.unacked.count() >= ch.limit {
		return nil
	}
	stalled := ch.stalled
	ch.stalled = nil
	return stalled
}

func resume(consumers []*vhost.Consumer) {
	for _, c := range consumers {
		c.Resume()
	}
}

// recover puts everything unacknowledged back into its queue.
func (ch *channel) recover(m *amqp.BasicRecover) error {
	if err := ch.recoverAsync(m.Requeue); err != nil {
		return err
	}
	ch.answer(false, &amqp.BasicRecoverOk{})
	return nil
}

func (ch *channel) recoverAsync(again bool) error {
	if !again {
		return amqp.ConnectionError(amqp.NotImplemented, "requeue=false")
	}
	return ch.settleNow(0, true, requeue) // no part of a transaction
}

// eachQueue settles deliveries queue by queue, each queue's in their order.
func eachQueue(ds []vhost.Delivery, become settlement) {
	mixed := slices.ContainsFunc(ds, func(d vhost.Delivery) bool { return d.Queue != ds[0].Queue })
	if mixed {
		slices.SortStableFunc(ds, func(a, b vhost.Delivery) int {
			return strings.Compare(a.Queue.Name(), b.Queue.Name())
		})
	}
	for len(ds) > 0 {
		end := slices.IndexFunc(ds, func(d vhost.Delivery) bool { return d.Queue != ds[0].Queue })
		if end < 0 {
			end = len(ds)
		}
		become(ds[0].Queue, ds[:end]...)
		ds = ds[end:]
	}
}
