package vhost

import (
	"math"
	"time"
)

// Delivery acknowledgement timeouts: the session keeps the time, the queues say how much there is.

// Patience returns how long a delivery may stay without an ack: what its consumer asked for, else its queue,
// else usual. 0 is for ever.
func (d *Delivery) Patience(usual time.Duration) time.Duration {
	ms := d.Queue.patience.Load()
	if d.consumer != nil && d.consumer.patience != unlimited {
		ms = d.consumer.patience
	}
	if ms == unlimited {
		return usual
	}
	return milliseconds(ms)
}

// ShortestPatience returns the shortest time that any queue or consumer has asked for; false if none has.
func (v *VHost) ShortestPatience() (time.Duration, bool) {
	ms := v.patience.Load()
	return milliseconds(ms), ms != unlimited
}

func milliseconds(ms int64) time.Duration {
	return time.Duration(min(ms, math.MaxInt64/int64(time.Millisecond))) * time.Millisecond
}

func (q *Queue) setPatience(ms int64) {
	q.patience.Store(ms)
	q.vhost.foresee(ms)
}

// foresee notes that some delivery may stay for so many ms only.
func (v *VHost) foresee(ms int64) {
	if ms == 0 {
		return // for ever
	}
	for {
		shortest := v.patience.Load()
		if ms >= shortest || v.patience.CompareAndSwap(shortest, ms) {
			return
		}
	}
}
