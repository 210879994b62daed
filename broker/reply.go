package broker

import (
	"crypto/rand"
	"encoding/base64"
	"strings"

	"thump/broker/amqp"
	"thump/broker/vhost"
)

// Direct reply-to, a RabbitMQ extension: an answer goes from the channel that it
// is published on straight to the channel that asked. No queue holds it, so one
// that finds its channel gone, or its socket congested, is dropped.

// replyQueue is what the asking channel consumes from and names in reply-to; the
// broker appends a dot and the channel's token.
const replyQueue = "amq.rabbitmq.reply-to"

// isReply reports whether a message is an answer to such a channel.
func isReply(exchange, key string) bool {
	return exchange == "" && strings.HasPrefix(key, replyQueue+".")
}

// isReplyQueue reports whether a queue's name is the pseudo queue.
func isReplyQueue(name string) bool { return name == replyQueue }

// consumeReplies starts the channel's one consumer of answers.
func (ch *channel) consumeReplies(m *amqp.BasicConsume) error {
	if !m.NoAck {
		return amqp.ChannelError(amqp.PreconditionFailed, "reply consumer cannot acknowledge")
	}
	if ch.replyKey != "" {
		return amqp.ChannelError(amqp.PreconditionFailed, "reply consumer already set")
	}
	tag, err := ch.reserve(m.ConsumerTag)
	if err != nil {
		return err
	}
	var token [18]byte
	rand.Read(token[:]) // never fails, see crypto/rand
	ch.replyKey = replyQueue + "." + base64.RawURLEncoding.EncodeToString(token[:])
	out := ch.conn.out
	out.mu.Lock()
	ch.replyTag = tag
	out.mu.Unlock()
	ch.conn.broker.replies.Store(ch.replyKey, ch)
	ch.answer(m.NoWait, &amqp.BasicConsumeOk{ConsumerTag: tag})
	return nil
}

// endReplies ends the consumer of answers, if it is the one with the tag.
func (ch *channel) endReplies(tag string) {
	if ch.replyKey == "" || ch.replyTag != tag {
		return
	}
	ch.conn.broker.replies.Delete(ch.replyKey)
	ch.replyKey = ""
	out := ch.conn.out
	out.mu.Lock()
	defer out.mu.Unlock()
	ch.replyTag = ""
}

// asks puts the channel's own address into a message that names the pseudo queue
// in reply-to.
func (ch *channel) asks(m *vhost.Message) error {
	if amqp.Flags(m.Header)&amqp.FlagReplyTo == 0 {
		return nil
	}
	p, err := amqp.ParseProperties(m.Header)
	if err != nil {
		return malformed(err)
	}
	if p.ReplyTo != replyQueue {
		return nil
	}
	if ch.replyKey == "" {
		return amqp.ChannelError(amqp.PreconditionFailed, "fast reply consumer does not exist")
	}
	p.ReplyTo = ch.replyKey
	if m.Header, err = p.Append(nil); err != nil {
		return malformed(err)
	}
	return nil
}

// reply hands an answer to the channel that asked; false if it is gone.
func (b *Broker) reply(m *vhost.Message) bool {
	found, ok := b.replies.Load(m.Key)
	if !ok {
		return false
	}
	ch := found.(*channel)
	out := ch.conn.out
	out.mu.Lock()
	defer out.mu.Unlock()
	switch {
	case ch.closed || ch.replyTag == "":
		return false
	case len(out.buf) >= 2*out.highWater: // nobody waits for room on its behalf
		b.metrics.repliesDropped.Inc()
		return true
	}
	ch.lastTag++
	out.counts.delivered++
	out.counts.bytes += uint64(len(m.Body))
	out.contentLocked(ch, &amqp.BasicDeliver{
		ConsumerTag: ch.replyTag, DeliveryTag: ch.lastTag, Exchange: m.Exchange, RoutingKey: m.Key,
	}, m.Header, m.Body)
	return true
}

// declareReplies answers a declaration of the pseudo queue, or of one channel's
// address, which tells a server whether the one who asked is still there.
func (ch *channel) declareReplies(m *amqp.QueueDeclare) error {
	if _, there := ch.conn.broker.replies.Load(m.Queue); !there && !isReplyQueue(m.Queue) {
		return amqp.ChannelError(amqp.NotFound, "no queue '%s' in vhost '%s'", m.Queue, ch.conn.vhost.Name())
	}
	ch.answer(m.NoWait, &amqp.QueueDeclareOk{Queue: m.Queue, ConsumerCount: 1})
	return nil
}
