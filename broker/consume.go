package broker

import (
	"crypto/rand"
	"slices"

	"thump/broker/amqp"
	"thump/broker/vhost"
)

// qos limits the deliveries without an ack: of each consumer to come, or with
// global of the whole channel (RabbitMQ's meaning of the flag).
func (ch *channel) qos(m *amqp.BasicQos) error {
	if m.PrefetchSize != 0 {
		return amqp.ConnectionError(amqp.NotImplemented, "prefetch_size!=0 (%d)", m.PrefetchSize)
	}
	if m.Global {
		ch.setLimit(int(m.PrefetchCount))
	} else {
		ch.conn.out.mu.Lock()
		ch.prefetch = m.PrefetchCount
		ch.conn.out.mu.Unlock()
	}
	ch.answer(false, &amqp.BasicQosOk{})
	return nil
}

func (ch *channel) setLimit(limit int) {
	most := ch.conn.broker.config.MaxUnacked
	if limit == 0 || limit > most {
		limit = most
	}
	out := ch.conn.out
	out.mu.Lock()
	ch.limit = limit
	stalled := ch.takeStalledLocked()
	out.mu.Unlock()
	resume(stalled)
}

// consume starts a consumer.
func (ch *channel) consume(m *amqp.BasicConsume) error {
	if isReplyQueue(m.Queue) {
		return ch.consumeReplies(m)
	}
	queue, err := ch.readableQueue(m.Queue)
	if err != nil {
		return err
	}
	tag, err := ch.reserve(m.ConsumerTag)
	if err != nil {
		return err
	}
	c, err := ch.conn.vhost.Consume(queue, vhost.ConsumerSpec{
		Tag: tag, NoAck: m.NoAck, Exclusive: m.Exclusive, Prefetch: ch.prefetch,
		Args: m.Arguments, Owner: ch.conn.owner,
	}, ch)
	if err != nil {
		ch.unreserve(tag)
		return err
	}
	ch.begin(c, m.NoWait)
	return nil
}

// reserve takes a consumer tag, or chooses one; until begin its consumer is nil.
func (ch *channel) reserve(tag string) (string, error) {
	if tag == "" {
		tag = "amq.ctag-" + rand.Text()
	}
	out := ch.conn.out
	out.mu.Lock()
	defer out.mu.Unlock()
	if _, taken := ch.consumers[tag]; taken {
		return "", amqp.ConnectionError(amqp.NotAllowed, "attempt to reuse consumer tag '%s'", tag)
	}
	ch.consumers[tag] = nil
	return tag, nil
}

func (ch *channel) unreserve(tag string) {
	out := ch.conn.out
	out.mu.Lock()
	defer out.mu.Unlock()
	delete(ch.consumers, tag)
}

// begin answers basic.consume and lets deliveries follow.
func (ch *channel) begin(c *vhost.Consumer, nowait bool) {
	tag := c.Spec().Tag
	out := ch.conn.out
	out.mu.Lock()
	_, reserved := ch.consumers[tag]
	if reserved {
		ch.consumers[tag] = c
	}
	if !nowait {
		out.sendLocked(ch.id, &amqp.BasicConsumeOk{ConsumerTag: tag})
	}
	if !reserved { // the queue was deleted meanwhile
		ch.notifyCancelLocked(tag)
	}
	out.mu.Unlock()
	if reserved {
		ch.conn.broker.metrics.consumers.Inc()
		c.Start()
	}
}

// cancel ends a consumer at the client's wish. An unknown tag is fine.
func (ch *channel) cancel(m *amqp.BasicCancel) error {
	ch.endReplies(m.ConsumerTag)
	out := ch.conn.out
	out.mu.Lock()
	c := ch.consumers[m.ConsumerTag]
	delete(ch.consumers, m.ConsumerTag)
	out.mu.Unlock()
	return ch.done(ch.endConsumer(c), m.NoWait, &amqp.BasicCancelOk{ConsumerTag: m.ConsumerTag})
}

// endConsumer cancels a consumer, if there is one.
func (ch *channel) endConsumer(c *vhost.Consumer) error {
	if c == nil {
		return nil
	}
	ch.conn.broker.metrics.consumers.Dec()
	return c.Cancel()
}

// Cancelled is called by a queue that was deleted under its consumer.
func (ch *channel) Cancelled(c *vhost.Consumer) {
	tag := c.Spec().Tag
	out := ch.conn.out
	out.mu.Lock()
	defer out.mu.Unlock()
	known, ok := ch.consumers[tag]
	if !ok {
		return
	}
	delete(ch.consumers, tag)
	if known != nil { // otherwise begin notifies, after its answer
		ch.conn.broker.metrics.consumers.Dec()
		ch.notifyCancelLocked(tag)
	}
}

// notifyCancelLocked tells a client that understands it that its consumer is
// gone. RabbitMQ extension: consumer cancel notification.
func (ch *channel) notifyCancelLocked(tag string) {
	if ch.conn.can("consumer_cancel_notify") {
		ch.conn.out.sendLocked(ch.id, &amqp.BasicCancel{ConsumerTag: tag, NoWait: true})
	}
}

// Deliver is called by a queue with a message for one of the channel's
// consumers; it encodes it into the connection's buffer.
func (ch *channel) Deliver(c *vhost.Consumer, d vhost.Delivery) bool {
	spec := c.Spec()
	out := ch.conn.out
	out.mu.Lock()
	defer out.mu.Unlock()
	if ch.closed || !out.room(c) {
		return false
	}
	if !spec.NoAck && ch.unacked.count() >= ch.limit {
		if !slices.Contains(ch.stalled, c) {
			ch.stalled = append(ch.stalled, c)
		}
		return false
	}
	tag := ch.keepLocked(d, spec.NoAck)
	b := amqp.AppendDeliver(out.buf, ch.id, &amqp.BasicDeliver{
		ConsumerTag: spec.Tag, DeliveryTag: tag, Redelivered: d.Redelivered,
		Exchange: d.Message.Exchange, RoutingKey: d.Message.Key,
	})
	out.added(amqp.AppendContent(b, ch.id, d.Message.Header, d.Message.Body, ch.conn.frameMax))
	return true
}

// keepLocked gives a delivery its tag and remembers it up to its ack.
func (ch *channel) keepLocked(d vhost.Delivery, noAck bool) (tag uint64) {
	counts := &ch.conn.out.counts
	counts.delivered++
	counts.bytes += uint64(len(d.Message.Body))
	if d.Redelivered {
		counts.redelivered++
	}
	ch.lastTag++
	if !noAck {
		d.Message = nil // borrowed
		ch.unacked.add(ch.lastTag, d, ch.conn.broker.clock.Load())
	}
	return ch.lastTag
}

// get hands out one message, or says that there is none.
func (ch *channel) get(m *amqp.BasicGet) error {
	queue, err := ch.readableQueue(m.Queue)
	if err != nil {
		return err
	}
	ch.conn.waitRoom() // an answer can be far longer than what asks for it
	d, remaining, ok, err := ch.conn.vhost.Get(queue, m.NoAck, ch.conn.owner)
	if err != nil {
		return err
	}
	if !ok {
		ch.answer(false, &amqp.BasicGetEmpty{})
		return nil
	}
	out := ch.conn.out
	out.mu.Lock()
	defer out.mu.Unlock()
	message := d.Message
	out.contentLocked(ch, &amqp.BasicGetOk{
		DeliveryTag: ch.keepLocked(d, m.NoAck), Redelivered: d.Redelivered,
		Exchange: message.Exchange, RoutingKey: message.Key, MessageCount: uint32(remaining),
	}, message.Header, message.Body)
	return nil
}
