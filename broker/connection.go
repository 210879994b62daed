package broker

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"thump/broker/amqp"
	"thump/broker/definitions"
	"thump/broker/vhost"
)

// connection is one client's connection.
type connection struct {
	// Static after construction.
	broker *Broker
	conn   net.Conn
	out    *outbound
	log    *slog.Logger
	name   string // as RabbitMQ names it: peer -> own address
	since  time.Time

	// Static after the handshake, which publishes them by opened.
	vhost            *vhost.VHost
	owner            *vhost.Owner
	user             string
	mechanism        string // of the login
	loggedIn         bool
	impersonates     bool // may publish in the name of others: tag impersonator
	frameMax         int
	channelMax       int
	heartbeat        time.Duration
	clientProperties amqp.Table
	capabilities     amqp.Table // the client's
	opened           atomic.Bool

	access atomic.Pointer[definitions.Access]     // what the user may do; replaced when permissions change
	limits atomic.Pointer[definitions.UserLimits] // the same of the user's limits

	// Owned by serve.
	frames   *amqp.FrameReader
	decoder  *amqp.Decoder
	channels map[uint16]*channel // changed under out.mu, so that others may read it with that
	busy     []*channel          // have something to do at the end of the burst
	hot      hotMethods
	counts   burstCounts

	// Read by others.
	received     atomic.Uint64 // bytes
	channelCount atomic.Int32
	paused       atomic.Bool // the reader waits for room and reads nothing
	closing      atomic.Bool // connection.close has been sent
	interrupted  atomic.Bool // a channel holds a delivery for too long
	published    atomic.Bool // some message has come
}

// hotMethods are the methods that come in streams, decoded in place.
type hotMethods struct {
	publish amqp.BasicPublish
	ack     amqp.BasicAck
	message vhost.Message
}

func newConnection(b *Broker, conn net.Conn) *connection {
	name := fmt.Sprintf("%s -> %s", conn.RemoteAddr(), conn.LocalAddr())
	c := &connection{
		broker:   b,
		conn:     conn,
		out:      newOutbound(conn, int(b.config.OutboundHighWater), b.metrics),
		log:      b.log.With("connection", name),
		name:     name,
		since:    time.Now(),
		frameMax: amqp.FrameMin,
		decoder:  amqp.NewDecoder(),
		channels: make(map[uint16]*channel),
	}
	c.frames = amqp.NewFrameReader(countedReader{c})
	return c
}

// countedReader is the socket's reading half.
type countedReader struct{ c *connection }

func (r countedReader) Read(b []byte) (int, error) {
	n, err := r.c.conn.Read(b)
	r.c.received.Add(uint64(n))
	return n, err
}

// serve runs the connection to its end.
func (c *connection) serve() {
	var writer sync.WaitGroup
	writer.Go(c.out.run)
	err := c.handshake()
	if err == nil {
		err = c.converse()
	}
	c.release()
	c.finish(err)
	c.out.end(closeTimeout)
	writer.Wait()
	_ = c.conn.Close() // everything has been written, or the peer is gone
}

// converse handles frames until the connection ends.
func (c *connection) converse() error {
	heart := startHeart(c)
	defer heart.stop()
	for {
		if !c.frames.Ready() {
			c.endBurst()
		}
		f, err := c.frames.Next()
		if err != nil && c.wasInterrupted(err) {
			c.failOverdue()
			continue
		}
		if err != nil {
			return err
		}
		if c.closing.Load() {
			return c.awaitCloseOk(f)
		}
		if err := c.handle(f); err != nil {
			return err
		}
	}
}

// handle takes one frame. An error ends the connection.
func (c *connection) handle(f amqp.Frame) error {
	switch {
	case f.Channel == 0:
		return c.handleControl(f)
	case f.Type == amqp.FrameHeartbeat:
		return amqp.ConnectionError(amqp.UnexpectedFrame, "type %d, %s", f.Type, amqp.Octets(f.Payload))
	}
	ch := c.channels[f.Channel]
	if ch == nil {
		return c.openChannel(f)
	}
	if err := ch.handle(f); err != nil {
		return c.contain(ch, err)
	}
	return nil
}

// contain keeps a channel's exception to the channel.
func (c *connection) contain(ch *channel, err error) error {
	err = c.asException(err)
	var e *amqp.Error
	if errors.As(err, &e) && e.Channel {
		ch.fail(e)
		return nil
	}
	return err
}

// asException turns what is no AMQP exception, a failing disk for example, into
// one that tells the client no more than that it is not at fault.
func (c *connection) asException(err error) error {
	if e := new(amqp.Error); errors.As(err, &e) {
		return err
	}
	c.log.Error("cannot do what the client asks for", "user", c.user, "err", err)
	return amqp.ConnectionError(amqp.InternalError, "see the broker's log")
}

// handleControl takes a frame of channel 0.
func (c *connection) handleControl(f amqp.Frame) error {
	if f.Type == amqp.FrameHeartbeat {
		return nil
	}
	if f.Type != amqp.FrameMethod {
		return amqp.ConnectionError(amqp.UnexpectedFrame, "frame type %d on channel 0", f.Type)
	}
	m, err := amqp.ParseMethod(f.Payload)
	if err != nil {
		return err
	}
	switch m := m.(type) {
	case *amqp.ConnectionClose:
		c.log.Debug("connection closed by client", "code", m.ReplyCode, "text", m.ReplyText)
		return errPeerClosed
	case *amqp.ConnectionUpdateSecret:
		// RabbitMQ extension. Passwords here do not expire, so that, as with
		// RabbitMQ's own users, there is nothing to renew.
		c.out.send(0, &amqp.ConnectionUpdateSecretOk{})
		return nil
	case *amqp.ConnectionCloseOk:
		return nil // RabbitMQ ignores a stray one
	case *amqp.ConnectionBlocked, *amqp.ConnectionUnblocked:
		return nil
	}
	return blame(m.ID(), amqp.ConnectionError(amqp.ChannelErrorCode, "unexpected method in connection state running"))
}

// openChannel takes the first frame of a channel.
func (c *connection) openChannel(f amqp.Frame) error {
	id := amqp.MethodID(0)
	if f.Type == amqp.FrameMethod {
		var err error
		if id, err = amqp.PeekMethod(f.Payload); err != nil {
			return err
		}
	}
	if id != amqp.IDChannelOpen {
		return blame(id, amqp.ConnectionError(amqp.ChannelErrorCode, "expected 'channel.open'"))
	}
	if len(c.channels) >= c.channelMax {
		return blame(id, amqp.ConnectionError(amqp.NotAllowed,
			"number of channels opened (%d) has reached the negotiated channel_max (%d)", len(c.channels), c.channelMax))
	}
	if err := c.broker.addChannel(c); err != nil {
		return blame(id, err)
	}
	c.out.mu.Lock()
	c.channels[f.Channel] = newChannel(c, f.Channel)
	c.out.mu.Unlock()
	c.broker.metrics.channels.Inc()
	c.out.send(f.Channel, &amqp.ChannelOpenOk{})
	return nil
}

// forget drops a channel that has been closed.
func (c *connection) forget(ch *channel) {
	c.out.mu.Lock()
	delete(c.channels, ch.id)
	c.out.mu.Unlock()
	c.channelCount.Add(-1)
	c.broker.metrics.channels.Dec()
}

// endBurst does what was put off while more frames were at hand.
func (c *connection) endBurst() {
	c.flushBurst()
	c.waitRoom()
	c.waitForAlarm()
}

// flushBurst confirms and counts what the burst has brought so far.
func (c *connection) flushBurst() {
	for _, ch := range c.busy {
		ch.endBurst()
	}
	c.busy = c.busy[:0]
	c.counts.flush(c.broker.metrics)
}

// waitRoom lets the peer read what it has asked for before more is asked.
func (c *connection) waitRoom() {
	c.out.waitRoom(&c.paused)
}

// release gives back everything the client held: deliveries return to their
// queues, exclusive queues go.
func (c *connection) release() {
	for _, ch := range c.channels {
		ch.release()
		c.forget(ch)
	}
	c.counts.flush(c.broker.metrics)
	if c.owner != nil {
		if err := c.vhost.CloseOwner(c.owner); err != nil {
			c.log.Error("cannot delete exclusive queues", "err", err)
		}
	}
}

// can reports whether the client has announced a capability.
func (c *connection) can(capability string) bool {
	capable, _ := c.capabilities[capability].(bool)
	return capable
}

// blame notes which method caused an exception.
func blame(id amqp.MethodID, err error) error {
	if err == nil { // nearly always: what follows allocates
		return nil
	}
	if e := new(amqp.Error); errors.As(err, &e) && e.ClassID == 0 {
		e.ClassID, e.MethodID = id.Class(), id.Method()
	}
	return err
}
