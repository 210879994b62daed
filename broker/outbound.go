package broker

import (
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"thump/broker/amqp"
	"thump/broker/vhost"
)

// outbound is the sending half of a connection. Whoever has something for the
// peer encodes it straight into buf; one goroutine swaps the buffer for another
// and writes it, so that frames gather while a write is under way and nothing
// waits when none is.
type outbound struct {
	conn      net.Conn      // static
	highWater int           // static: from here on no delivery is taken
	metrics   *metrics      // static
	gone      chan struct{} // closed when closing or broken; static
	leave     sync.Once     // closes gone

	// mu guards all below and the shared half of each of the connection's
	// channels. It is the last lock of the lock order.
	mu      sync.Mutex
	filled  sync.Cond // the writer waits for something to write
	drained sync.Cond // the reader waits for room
	buf     []byte
	stalled []*vhost.Consumer // were refused a delivery for want of room
	closing bool              // connection.close or close-ok is the last thing in buf, or sent
	ended   bool              // no more is to be written once buf is
	broken  error             // the socket failed: nothing is written any more
	blocked bool              // connection.blocked is the last of its kind that was sent
	sent    uint64            // bytes encoded
	counts  outCounts
	ack     amqp.BasicAck // encoded from here, so that it is not allocated for each
}

func newOutbound(conn net.Conn, highWater int, m *metrics) *outbound {
	o := &outbound{conn: conn, highWater: highWater, metrics: m, gone: make(chan struct{})}
	o.filled.L, o.drained.L = &o.mu, &o.mu
	return o
}

// send queues a method for the peer.
func (o *outbound) send(channel uint16, m amqp.Method) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sendLocked(channel, m)
}

func (o *outbound) sendLocked(channel uint16, m amqp.Method) {
	if o.closing || o.broken != nil {
		return
	}
	o.append(channel, m)
}

// append encodes a method whatever the state.
func (o *outbound) append(channel uint16, m amqp.Method) {
	b, err := amqp.AppendMethodFrame(o.buf, channel, m)
	if err != nil {
		panic(fmt.Sprintf("broker: %s: %v", m.ID(), err)) // the broker's own tables have field types
	}
	o.added(b)
}

// raw queues bytes that are no frame.
func (o *outbound) raw(b []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.added(append(o.buf, b...))
}

// contentLocked queues a method and the message that follows it.
func (o *outbound) contentLocked(ch *channel, m amqp.Method, properties, body []byte) {
	if o.closing || o.broken != nil {
		return
	}
	o.append(ch.id, m)
	o.added(amqp.AppendContent(o.buf, ch.id, properties, body, ch.conn.frameMax))
}

// added takes over the longer buffer and wakes the writer.
func (o *outbound) added(b []byte) {
	idle := len(o.buf) == 0
	o.sent += uint64(len(b) - len(o.buf))
	o.buf = b
	if idle {
		o.filled.Signal()
	}
}

// room reports whether a delivery may be encoded; if not, the consumer is
// resumed when there is room again.
func (o *outbound) room(c *vhost.Consumer) bool {
	if o.closing || o.broken != nil {
		return false
	}
	if len(o.buf) < o.highWater {
		return true
	}
	if !slices.Contains(o.stalled, c) {
		o.stalled = append(o.stalled, c)
		o.counts.stalls++
	}
	return false
}

// waitRoom blocks the reader while the peer does not take what it is sent:
// answers have no other bound than that no further request is read.
func (o *outbound) waitRoom(paused *atomic.Bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.buf) >= 2*o.highWater && o.broken == nil {
		paused.Store(true)
		o.drained.Wait()
		paused.Store(false)
	}
}

// finalMethod queues connection.close or its answer; nothing is sent after it.
func (o *outbound) finalMethod(m amqp.Method) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.broken == nil {
		o.append(0, m)
	}
	o.closing = true
	o.leave.Do(func() { close(o.gone) })
}

// isEnding reports whether nothing more can be said to the peer.
func (o *outbound) isEnding() bool {
	select {
	case <-o.gone:
		return true
	default:
		return false
	}
}

// end lets run return once everything queued is written, within the timeout.
func (o *outbound) end(timeout time.Duration) {
	_ = o.conn.SetWriteDeadline(time.Now().Add(timeout)) // an error shows at the write
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
	o.filled.Signal()
}

// run writes until the end or until the socket fails.
func (o *outbound) run() {
	var spare []byte
	for {
		b, stalled, ok := o.take(spare)
		if !ok {
			return
		}
		if _, err := o.conn.Write(b); err != nil {
			o.fail(err)
			return
		}
		for _, c := range stalled {
			c.Resume()
		}
		if spare = b[:0]; cap(spare) > 2*o.highWater {
			spare = nil // a large message has passed
		}
	}
}

// take waits for something to write and leaves spare in its place.
func (o *outbound) take(spare []byte) (b []byte, stalled []*vhost.Consumer, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.buf) == 0 && !o.ended {
		o.filled.Wait()
	}
	if len(o.buf) == 0 {
		return nil, nil, false
	}
	b, o.buf = o.buf, spare
	stalled, o.stalled = o.stalled, nil
	o.counts.flush(o.metrics)
	o.drained.Signal()
	return b, stalled, true
}

// fail ends the sending half; the reader notices by the closed socket.
func (o *outbound) fail(err error) {
	_ = o.conn.Close() // it has failed already
	o.mu.Lock()
	defer o.mu.Unlock()
	o.broken = err
	o.leave.Do(func() { close(o.gone) })
	o.buf = nil
	o.stalled = nil
	o.drained.Signal()
}

// keepAlive sends a heartbeat unless something else was sent since it returned
// before. It returns a number to give back next time.
func (o *outbound) keepAlive(before uint64) (sent uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.sent == before && len(o.buf) == 0 && !o.closing && o.broken == nil {
		o.added(append(o.buf, heartbeatFrame...))
	}
	return o.sent
}

func (o *outbound) bytesSent() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.sent
}
