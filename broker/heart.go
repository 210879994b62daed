package broker

import (
	"sync/atomic"
	"time"

	"thump/broker/amqp"
)

// deadAfter is how many half intervals of silence end a connection: two missed
// heartbeats, AMQP 0-9-1 §4.2.7.
const deadAfter = 4

// heart beats twice per heartbeat interval: it sends a heartbeat when nothing
// else was sent meanwhile, and drops a peer that has been silent for too long.
type heart struct {
	conn     *connection
	half     time.Duration
	timer    *time.Timer
	stopped  atomic.Bool
	sent     uint64 // owned by beat, which never runs twice at once
	received uint64
	silent   int
}

// startHeart starts the heartbeats that were negotiated.
func startHeart(c *connection) *heart {
	h := &heart{conn: c, half: c.heartbeat / 2}
	if h.half > 0 {
		h.timer = time.AfterFunc(h.half, h.beat)
	}
	return h
}

// stop ends it; a beat that is under way has no effect any more.
func (h *heart) stop() {
	h.stopped.Store(true)
	if h.timer != nil {
		h.timer.Stop()
	}
}

func (h *heart) beat() {
	if h.stopped.Load() {
		return
	}
	h.sent = h.conn.out.keepAlive(h.sent)
	received := h.conn.received.Load()
	if received != h.received || h.conn.paused.Load() {
		h.received, h.silent = received, 0
	} else if h.silent++; h.silent >= deadAfter {
		h.conn.log.Warn("dropping connection that missed its heartbeats", "user", h.conn.user, "timeout", h.conn.heartbeat)
		h.conn.broker.metrics.heartbeatsMissed.Inc()
		_ = h.conn.conn.Close() // the reader notices
		return
	}
	h.timer.Reset(h.half)
}

// heartbeatFrame is all of a heartbeat.
var heartbeatFrame = amqp.AppendFrame(nil, amqp.Frame{Type: amqp.FrameHeartbeat})
