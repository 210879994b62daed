package broker

import (
	"errors"
	"io"
	"net"
	"time"

	"thump/broker/amqp"
)

// closeTimeout bounds the wait for close-ok, and for the last bytes to leave.
const closeTimeout = 3 * time.Second

// How a connection ends well.
var (
	errPeerClosed = errors.New("the client has sent connection.close")
	errCloseOk    = errors.New("the client has answered connection.close")
)

// finish says goodbye after the connection has ended with err.
func (c *connection) finish(err error) {
	var e *amqp.Error
	switch {
	case errors.Is(err, errPeerClosed):
		c.out.finalMethod(&amqp.ConnectionCloseOk{})
	case errors.As(err, &e):
		c.log.Warn("closing connection", "user", c.user, "err", e)
		c.broker.metrics.connectionErrors.Inc()
		c.raise(e)
	case errors.Is(err, errCloseOk):
	case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed):
		c.log.Debug("connection ended without connection.close", "err", err)
	default:
		c.log.Info("connection failed", "user", c.user, "err", err)
	}
}

// raise sends a connection exception and waits for the answer. A peer that has
// not logged in learns nothing, as with RabbitMQ, unless it has asked to.
func (c *connection) raise(e *amqp.Error) {
	if !c.loggedIn && !(e.Code == amqp.AccessRefused && c.can("authentication_failure_close")) {
		return
	}
	c.shutdown(e)
	f, err := c.frames.Next()
	if err == nil {
		err = c.awaitCloseOk(f)
	}
	if lost := new(amqp.Error); errors.As(err, &lost) {
		// Out of step with the frames: take what comes until the peer has read the
		// reason and closes.
		_, _ = io.Copy(io.Discard, c.conn) // bounded by the deadline
	}
}

// shutdown sends connection.close, once, and bounds the wait for the answer.
func (c *connection) shutdown(e *amqp.Error) {
	if c.closing.CompareAndSwap(false, true) {
		c.out.finalMethod(&amqp.ConnectionClose{
			ReplyCode: e.Code, ReplyText: e.Text, ClassID: e.ClassID, MethodID: e.MethodID,
		})
		_ = c.conn.SetDeadline(time.Now().Add(closeTimeout)) // a failure shows at the read
	}
}

// awaitCloseOk ignores every frame up to close-ok, AMQP 0-9-1 §1.4.2.3.
func (c *connection) awaitCloseOk(f amqp.Frame) error {
	for {
		if f.Channel == 0 && f.Type == amqp.FrameMethod {
			switch id, err := amqp.PeekMethod(f.Payload); {
			case err != nil:
				return err
			case id == amqp.IDConnectionCloseOk:
				return errCloseOk
			case id == amqp.IDConnectionClose:
				return errPeerClosed
			}
		}
		var err error
		if f, err = c.frames.Next(); err != nil {
			return err
		}
	}
}
