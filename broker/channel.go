package broker

import (
	"thump/broker/amqp"
	"thump/broker/definitions"
	"thump/broker/vhost"
)

// channel is one channel of a connection.
type channel struct {
	// Static after construction.
	conn *connection
	id   uint16

	// Owned by the connection's reader.
	closing     bool                // channel.close has been sent: all is ignored up to its answer
	isBusy      bool                // stands in connection.busy
	lastQueue   string              // what an empty queue name means
	prefetch    uint16              // of consumers to come; changed under outbound.mu
	published   uint64              // messages
	incoming    incoming            // the publish that is being received
	publishes   *definitions.Access // by it the user may write to publishesTo
	publishesTo string
	topics      bool             // publishesTo is a topic exchange, and the user's access asks for the key
	replyKey    string           // the channel's address for direct reply-to; "": none
	taken       []vhost.Delivery // scratch of settle
	tx          *transaction     // nil: the channel is not transactional

	confirms confirms // owned in part, see there

	// Guarded by outbound.mu.
	closed    bool // delivers and confirms nothing any more
	lastTag   uint64
	settled   uint64 // deliveries
	seen      uint64 // published, as of the last burst
	unacked   unacked
	limit     int // unacked deliveries of the whole channel at most
	consumers map[string]*vhost.Consumer
	replyTag  string // of the consumer of direct replies; written by the reader
	overdue   overdue
	stalled   []*vhost.Consumer // were refused a delivery because of limit
}

func newChannel(c *connection, id uint16) *channel {
	return &channel{
		conn:      c,
		id:        id,
		limit:     c.broker.config.MaxUnacked,
		consumers: make(map[string]*vhost.Consumer),
	}
}

// handle takes one frame of the channel.
func (ch *channel) handle(f amqp.Frame) error {
	if ch.closing {
		return ch.awaitCloseOk(f)
	}
	if ch.incoming.awaited != 0 {
		return ch.receive(f)
	}
	if f.Type != amqp.FrameMethod {
		return amqp.ConnectionError(amqp.UnexpectedFrame, "expected method frame, got non method frame instead")
	}
	id, err := amqp.PeekMethod(f.Payload)
	if err != nil {
		return err
	}
	return blame(id, ch.method(id, f.Payload))
}

// method decodes and runs a method: those that come in streams in place.
func (ch *channel) method(id amqp.MethodID, payload []byte) error {
	c := ch.conn
	switch id {
	case amqp.IDBasicPublish:
		if err := c.decoder.Decode(payload, &c.hot.publish); err != nil {
			return err
		}
		return ch.publish(&c.hot.publish)
	case amqp.IDBasicAck:
		if err := c.decoder.Decode(payload, &c.hot.ack); err != nil {
			return err
		}
		return ch.settle(c.hot.ack.DeliveryTag, c.hot.ack.Multiple, ack)
	}
	m, err := amqp.ParseMethod(payload)
	if err != nil {
		return err
	}
	return ch.run(m)
}

// run does what any other method asks for.
func (ch *channel) run(m amqp.Method) error {
	switch m := m.(type) {
	case *amqp.ChannelOpen:
		return amqp.ConnectionError(amqp.ChannelErrorCode, "second 'channel.open' seen")
	case *amqp.ChannelFlow:
		return ch.flow(m)
	case *amqp.ChannelClose:
		return ch.closeByPeer()
	case *amqp.ExchangeDeclare:
		return ch.declareExchange(m)
	case *amqp.ExchangeDelete:
		return ch.deleteExchange(m)
	case *amqp.ExchangeBind:
		return ch.bindExchange(m)
	case *amqp.ExchangeUnbind:
		return ch.unbindExchange(m)
	case *amqp.QueueDeclare:
		return ch.declareQueue(m)
	case *amqp.QueueBind:
		return ch.bindQueue(m)
	case *amqp.QueueUnbind:
		return ch.unbindQueue(m)
	case *amqp.QueuePurge:
		return ch.purgeQueue(m)
	case *amqp.QueueDelete:
		return ch.deleteQueue(m)
	case *amqp.BasicQos:
		return ch.qos(m)
	case *amqp.BasicConsume:
		return ch.consume(m)
	case *amqp.BasicCancel:
		return ch.cancel(m)
	case *amqp.BasicCancelOk:
		return nil // the answer to a consumer cancel notification
	case *amqp.BasicGet:
		return ch.get(m)
	case *amqp.BasicNack:
		return ch.settle(m.DeliveryTag, m.Multiple, rejection(m.Requeue))
	case *amqp.BasicReject:
		return ch.settle(m.DeliveryTag, false, rejection(m.Requeue))
	case *amqp.BasicRecover:
		return ch.recover(m)
	case *amqp.BasicRecoverAsync:
		return ch.recoverAsync(m.Requeue)
	case *amqp.ConfirmSelect:
		return ch.selectConfirms(m)
	case *amqp.TxSelect:
		return ch.selectTransactions()
	case *amqp.TxCommit:
		return ch.commit()
	case *amqp.TxRollback:
		return ch.rollback()
	}
	return amqp.ConnectionError(amqp.CommandInvalid, "unimplemented method")
}

// answer sends the reply to a method unless the client does not want one.
func (ch *channel) answer(nowait bool, m amqp.Method) {
	if !nowait {
		ch.conn.out.send(ch.id, m)
	}
}

// flow answers the client's wish to pause deliveries as RabbitMQ does.
func (ch *channel) flow(m *amqp.ChannelFlow) error {
	if !m.Active {
		return amqp.ConnectionError(amqp.NotImplemented, "active=false")
	}
	ch.answer(false, &amqp.ChannelFlowOk{Active: true})
	return nil
}

// closeByPeer ends the channel at the client's wish.
func (ch *channel) closeByPeer() error {
	ch.release()
	ch.conn.forget(ch)
	ch.answer(false, &amqp.ChannelCloseOk{})
	return nil
}

// fail ends the channel with an exception. Its number is free again once the
// client has answered.
func (ch *channel) fail(e *amqp.Error) {
	ch.conn.log.Warn("closing channel", "channel", ch.id, "user", ch.conn.user, "err", e)
	ch.conn.broker.metrics.channelErrors.Inc()
	ch.release()
	ch.closing = true
	ch.answer(false, &amqp.ChannelClose{
		ReplyCode: e.Code, ReplyText: e.Text, ClassID: e.ClassID, MethodID: e.MethodID,
	})
}

// awaitCloseOk ignores every frame up to close-ok, AMQP 0-9-1 §1.5.2.5.
func (ch *channel) awaitCloseOk(f amqp.Frame) error {
	if f.Type != amqp.FrameMethod {
		return nil
	}
	id, err := amqp.PeekMethod(f.Payload)
	if err != nil {
		return err
	}
	switch id {
	case amqp.IDChannelClose: // both sides close at once
		ch.answer(false, &amqp.ChannelCloseOk{})
	case amqp.IDChannelCloseOk:
		ch.conn.forget(ch)
	}
	return nil
}

// release gives back what the channel holds: its consumers end, and what is
// unacknowledged returns to its queues.
func (ch *channel) release() {
	if ch.closing {
		return
	}
	ch.endBurst()
	ch.abandon()
	ch.endReplies(ch.replyTag)
	out := ch.conn.out
	out.mu.Lock()
	ch.closed = true
	consumers := ch.consumers
	ch.consumers = nil
	ch.stalled = nil
	out.mu.Unlock()
	for _, c := range consumers {
		if err := ch.endConsumer(c); err != nil {
			ch.conn.log.Error("cannot delete queue after its last consumer", "channel", ch.id, "err", err)
		}
	}
	out.mu.Lock()
	ds, _ := ch.unacked.take(nil, 0, true)
	out.mu.Unlock()
	eachQueue(ds, (*vhost.Queue).Requeue)
	ch.incoming = incoming{}
}

// touch has endBurst called at the end of the burst.
func (ch *channel) touch() {
	if !ch.isBusy {
		ch.isBusy = true
		ch.conn.busy = append(ch.conn.busy, ch)
	}
}

func (ch *channel) endBurst() {
	ch.isBusy = false
	ch.conn.out.mu.Lock()
	ch.seen = ch.published
	ch.conn.out.mu.Unlock()
	ch.confirmBurst()
}
