package broker

import (
	"errors"

	"thump/broker/amqp"
	"thump/broker/vhost"
)

// keepBody is how large a channel's buffer for bodies of several frames may be
// to be kept for the next, bytes.
const keepBody = 256 << 10

// incoming is a publish whose frames are arriving.
type incoming struct {
	awaited   uint8 // type of the frame that comes next; 0: no publish is under way
	exchange  string
	key       string
	mandatory bool
	size      uint64 // of the body, as its header says
	header    []byte // the channel's buffer
	body      []byte // the channel's buffer, if the body comes in several frames
}

// publish begins a publish: its content follows.
func (ch *channel) publish(m *amqp.BasicPublish) error {
	if m.Immediate {
		return amqp.ConnectionError(amqp.NotImplemented, "immediate=true")
	}
	if ch.publishes == nil {
		ch.conn.published.Store(true) // before the burst ends, which looks at it
	}
	if ch.conn.broker.alarm.on.Load() {
		ch.holdBack()
	}
	in := &ch.incoming
	in.awaited = amqp.FrameHeader
	in.exchange, in.key, in.mandatory = m.Exchange, m.RoutingKey, m.Mandatory
	return nil
}

// receive takes a frame of the content.
func (ch *channel) receive(f amqp.Frame) error {
	if ch.incoming.awaited == amqp.FrameHeader {
		return blame(amqp.IDBasicPublish, ch.receiveHeader(f))
	}
	return blame(amqp.IDBasicPublish, ch.receiveBody(f))
}

func (ch *channel) receiveHeader(f amqp.Frame) error {
	in := &ch.incoming
	class := amqp.IDBasicPublish.Class()
	if f.Type != amqp.FrameHeader {
		return amqp.ConnectionError(amqp.UnexpectedFrame,
			"expected content header for class %d, got non content header frame instead", class)
	}
	h, err := amqp.ParseContentHeader(f.Payload)
	if err != nil {
		return err
	}
	if h.ClassID != class {
		return amqp.ConnectionError(amqp.UnexpectedFrame,
			"expected content header for class %d, got one for class %d instead", class, h.ClassID)
	}
	if most := ch.conn.broker.config.MaxMessage; h.BodySize > uint64(most) {
		return amqp.ChannelError(amqp.PreconditionFailed,
			"message size %d is larger than configured max size %d", h.BodySize, most)
	}
	in.size = h.BodySize
	in.header = append(in.header[:0], h.Properties...)
	if in.size == 0 {
		return ch.complete(nil)
	}
	in.awaited = amqp.FrameBody
	return nil
}

// receiveBody publishes a body of one frame from where it was read, and gathers
// one of several.
func (ch *channel) receiveBody(f amqp.Frame) error {
	in := &ch.incoming
	if f.Type != amqp.FrameBody {
		return amqp.ConnectionError(amqp.UnexpectedFrame, "expected content body, got non content body frame instead")
	}
	missing := in.size - uint64(len(in.body))
	switch size := uint64(len(f.Payload)); {
	case size > missing:
		return amqp.ConnectionError(amqp.FrameError, "expected %d more bytes of content body, got %d", missing, size)
	case size == in.size:
		return ch.complete(f.Payload)
	}
	in.body = append(in.body, f.Payload...) // grows with what has come, not with what is announced
	if uint64(len(in.body)) < in.size {
		return nil
	}
	err := ch.complete(in.body)
	if in.body = in.body[:0]; cap(in.body) > keepBody {
		in.body = nil
	}
	return err
}

// complete publishes the message that has arrived.
func (ch *channel) complete(body []byte) error {
	in := &ch.incoming
	in.awaited = 0
	if err := ch.mayPublish(in.exchange); err != nil {
		return err
	}
	if err := ch.mayPublishTopic(in.exchange, in.key); err != nil {
		return err
	}
	mode, err := amqp.CheckProperties(in.header)
	if err != nil {
		return malformed(err)
	}
	m := &ch.conn.hot.message
	*m = vhost.Message{
		Exchange: in.exchange, Key: in.key,
		Header: in.header, Body: body,
		Persistent: mode == amqp.Persistent, Mandatory: in.mandatory,
	}
	if err := ch.vouch(m); err != nil {
		return err
	}
	if ch.tx != nil {
		return ch.enlist(m)
	}
	ticket, err := ch.deliver(m)
	if err != nil && !ch.refused(err) {
		return err
	}
	if err != nil && !ch.confirms.selected {
		ch.conn.counts.refused++ // else counted with its nack
	}
	ch.confirms.note(ticket, err != nil)
	ch.touch()
	return nil
}

// deliver hands a message to the virtual host, and returns it to its publisher
// if no queue wants it.
func (ch *channel) deliver(m *vhost.Message) (ticket uint64, err error) {
	var routed int
	if isReply(m.Exchange, m.Key) {
		if ch.conn.broker.reply(m) {
			routed = 1
		}
	} else {
		routed, ticket, err = ch.conn.vhost.Publish(m)
		for ch.waitForDisk(err) {
			routed, ticket, err = ch.conn.vhost.Publish(m)
		}
	}
	if err != nil && !errors.Is(err, vhost.ErrRejected) {
		return 0, err
	}
	counts := &ch.conn.counts
	counts.published++
	ch.published++
	counts.bytes += uint64(len(m.Body))
	if routed == 0 && err == nil {
		ch.unroutable(m)
	}
	return ticket, err
}

// enlist makes a publish part of the channel's transaction.
func (ch *channel) enlist(m *vhost.Message) error {
	if err := ch.conn.vhost.Check(m); err != nil {
		return err
	}
	return ch.tx.publish(m)
}

func malformed(err error) error {
	return amqp.ConnectionError(amqp.SyntaxError, "cannot decode properties: %s", err)
}

// vouch checks what a message says about its publisher, and completes it.
func (ch *channel) vouch(m *vhost.Message) error {
	if amqp.Flags(m.Header)&(amqp.FlagUserID|amqp.FlagReplyTo) == 0 { // nearly always
		return nil
	}
	if err := ch.checkUserID(m.Header); err != nil {
		return err
	}
	return ch.asks(m)
}

// checkUserID refuses a message in another user's name. RabbitMQ extension.
func (ch *channel) checkUserID(header []byte) error {
	p, err := amqp.ParseProperties(header)
	if err != nil {
		return malformed(err)
	}
	if p.Flags&amqp.FlagUserID == 0 || p.UserID == ch.conn.user || ch.conn.impersonates {
		return nil
	}
	return amqp.ChannelError(amqp.PreconditionFailed,
		"user_id property set to '%s' but authenticated user was '%s'", p.UserID, ch.conn.user)
}

// refused reports whether a failed publish is answered by basic.nack. When the
// message is at fault the channel closes instead, and when the disk is, so does
// the connection of a publisher that has not asked for confirms: there is no
// other way to tell it.
func (ch *channel) refused(err error) bool {
	if errors.Is(err, vhost.ErrRejected) {
		return true
	}
	if e := new(amqp.Error); errors.As(err, &e) || !ch.confirms.selected {
		return false
	}
	ch.conn.log.Error("refusing publish", "exchange", ch.incoming.exchange, "err", err)
	return true
}

// unroutable returns a mandatory message to its publisher, before its confirm.
func (ch *channel) unroutable(m *vhost.Message) {
	if !m.Mandatory {
		ch.conn.counts.dropped++
		return
	}
	ch.conn.counts.returned++
	out := ch.conn.out
	out.mu.Lock()
	defer out.mu.Unlock()
	out.contentLocked(ch, &amqp.BasicReturn{
		ReplyCode: amqp.NoRoute, ReplyText: amqp.CodeName(amqp.NoRoute),
		Exchange: m.Exchange, RoutingKey: m.Key,
	}, m.Header, m.Body)
}

// selectConfirms turns on publisher confirms. RabbitMQ extension.
func (ch *channel) selectConfirms(m *amqp.ConfirmSelect) error {
	if ch.tx != nil {
		return amqp.ChannelError(amqp.PreconditionFailed, "cannot switch from tx to confirm mode")
	}
	ch.conn.out.mu.Lock()
	ch.confirms.selected = true
	ch.conn.out.mu.Unlock()
	ch.answer(m.NoWait, &amqp.ConfirmSelectOk{})
	return nil
}
