package broker

import (
	"errors"
	"fmt"
	"net"
	"time"

	"thump/broker/amqp"
	"thump/broker/vhost"
)

// What the broker calls itself. Clients switch features on by the product and
// its version, so it is RabbitMQ's; thump_version tells the two apart.
const (
	product        = "RabbitMQ"
	productVersion = "4.1.0"
	locales        = "en_US"
)

// errNotAMQP says that the peer speaks something else.
var errNotAMQP = errors.New("the peer has not opened with the AMQP 0-9-1 protocol header")

// handshake takes the connection from accept to connection.open-ok, AMQP 0-9-1
// §2.2.4.
func (c *connection) handshake() error {
	_ = c.conn.SetReadDeadline(time.Now().Add(c.broker.config.HandshakeTimeout.D())) // a failure shows at the read
	header, err := c.frames.ReadProtocolHeader()
	if err != nil {
		return fmt.Errorf("read protocol header: %w", err)
	}
	if header != amqp.ProtocolHeader && header != amqp.ProtocolHeader09 {
		c.out.raw([]byte(amqp.ProtocolHeader)) // AMQP 0-9-1 §4.2.2
		return errNotAMQP
	}
	for _, step := range []func() error{c.start, c.tune, c.open} {
		if err := step(); err != nil {
			return err
		}
	}
	if c.closing.Load() { // the broker began to shut down, and its deadline holds
		return nil
	}
	return c.conn.SetReadDeadline(time.Time{})
}

// expect returns the next method, which must be M.
func expect[M amqp.Method](c *connection) (want M, err error) {
	for {
		f, err := c.frames.Next()
		if err != nil {
			return want, err
		}
		if f.Channel == 0 && f.Type == amqp.FrameHeartbeat {
			continue
		}
		if f.Channel != 0 || f.Type != amqp.FrameMethod {
			return want, amqp.ConnectionError(amqp.UnexpectedFrame,
				"frame type %d on channel %d before the connection is open", f.Type, f.Channel)
		}
		m, err := amqp.ParseMethod(f.Payload)
		if err != nil {
			return want, err
		}
		switch m := m.(type) {
		case M:
			return m, nil
		case *amqp.ConnectionClose:
			return want, errPeerClosed
		}
		return want, blame(m.ID(), amqp.ConnectionError(amqp.CommandInvalid, "expected %s, got %s", want.ID(), m.ID()))
	}
}

// start offers the login and takes it.
func (c *connection) start() error {
	c.out.send(0, &amqp.ConnectionStart{
		VersionMajor: 0, VersionMinor: 9,
		ServerProperties: c.broker.serverProperties(),
		Mechanisms:       c.mechanisms(), Locales: locales,
	})
	m, err := expect[*amqp.ConnectionStartOk](c)
	if err != nil {
		return err
	}
	c.clientProperties = m.ClientProperties
	c.capabilities, _ = m.ClientProperties["capabilities"].(amqp.Table)
	user, err := c.logIn(m)
	if err != nil {
		c.broker.metrics.loginsRefused.Inc()
		return err // RabbitMQ blames no method
	}
	c.user, c.mechanism, c.loggedIn = user, m.Mechanism, true
	c.impersonates = c.broker.storage.hasTag(user, "impersonator")
	return nil
}

// fromLoopback reports whether the peer is on this host.
func (c *connection) fromLoopback() bool {
	addr, ok := c.conn.RemoteAddr().(*net.TCPAddr)
	return ok && addr.IP.IsLoopback()
}

// tune agrees on the limits.
func (c *connection) tune() error {
	config := c.broker.config
	offer := amqp.ConnectionTune{
		ChannelMax: uint16(config.ChannelMax),
		FrameMax:   uint32(config.FrameMax),
		Heartbeat:  config.heartbeatSeconds(),
	}
	c.out.send(0, &offer)
	m, err := expect[*amqp.ConnectionTuneOk](c)
	if err != nil {
		return err
	}
	if err := checkTuned("frame_max", m.FrameMax, amqp.FrameMin, offer.FrameMax); err != nil {
		return blame(m.ID(), err)
	}
	if err := checkTuned("channel_max", uint32(m.ChannelMax), 1, uint32(offer.ChannelMax)); err != nil {
		return blame(m.ID(), err)
	}
	c.frameMax, c.channelMax = int(m.FrameMax), int(m.ChannelMax)
	c.heartbeat = time.Duration(m.Heartbeat) * time.Second
	c.frames.SetMax(c.frameMax)
	return nil
}

// checkTuned refuses what the client may not choose. Zero stands for no limit,
// which the broker does not offer.
func checkTuned(field string, value, least, most uint32) error {
	switch {
	case value == 0:
		return amqp.ConnectionError(amqp.NotAllowed,
			"negotiated %s = 0 (no limit) is higher than the maximum allowed value (%d)", field, most)
	case value > most:
		return amqp.ConnectionError(amqp.NotAllowed,
			"negotiated %s = %d is higher than the maximum allowed value (%d)", field, value, most)
	case value < least:
		return amqp.ConnectionError(amqp.NotAllowed,
			"negotiated %s = %d is lower than the minimum allowed value (%d)", field, value, least)
	}
	return nil
}

// open enters the virtual host.
func (c *connection) open() error {
	m, err := expect[*amqp.ConnectionOpen](c)
	if err != nil {
		return err
	}
	v, access, err := c.broker.storage.enter(m.VirtualHost, c.user)
	if err != nil {
		return blame(m.ID(), c.asException(err))
	}
	limits, err := c.broker.storage.defs.UserLimits(c.user)
	if err != nil {
		return blame(m.ID(), c.asException(err))
	}
	c.vhost = v
	c.access.Store(&access)
	c.limits.Store(&limits)
	c.owner = &vhost.Owner{Name: c.name}
	if err := c.broker.letIn(c); err != nil {
		return blame(m.ID(), err)
	}
	c.broker.metrics.connectionsOpened.Inc()
	c.out.send(0, &amqp.ConnectionOpenOk{})
	c.log.Info("connection opened", "user", c.user, "vhost", m.VirtualHost, "client", c.clientProperties["product"])
	return nil
}

// serverProperties is what connection.start announces.
func (b *Broker) serverProperties() amqp.Table {
	return amqp.Table{
		"product":       product,
		"version":       productVersion,
		"platform":      "Go",
		"copyright":     "the thump authors",
		"information":   "thump's built-in broker, compatible with RabbitMQ",
		"cluster_name":  b.config.ClusterName,
		"thump_version": b.version,
		"capabilities": amqp.Table{
			"publisher_confirms":           true,
			"exchange_exchange_bindings":   true,
			"basic.nack":                   true,
			"consumer_cancel_notify":       true,
			"connection.blocked":           true,
			"authentication_failure_close": true,
			"per_consumer_qos":             true,
			"consumer_priorities":          true,
			"direct_reply_to":              true,
		},
	}
}
