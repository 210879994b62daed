package amqp

import "encoding/binary"

// ContentHeader is the payload of a header frame, AMQP 0-9-1 §2.3.5.2.
type ContentHeader struct {
	ClassID    uint16
	BodySize   uint64
	Properties []byte // encoded flags and values
}

const contentHead = 12 // class, weight, body size

// ParseContentHeader splits the payload of a header frame. The properties are
// borrowed from it and not looked into.
func ParseContentHeader(payload []byte) (ContentHeader, error) {
	if len(payload) < contentHead+len(NoProperties) {
		return ContentHeader{}, ConnectionError(FrameError, "a content header of %d bytes", len(payload))
	}
	return ContentHeader{
		ClassID:    binary.BigEndian.Uint16(payload),
		BodySize:   binary.BigEndian.Uint64(payload[4:]),
		Properties: payload[contentHead:],
	}, nil
}

// AppendContent encodes the content that follows a method of class basic: the
// header frame and as many body frames as the frame size asks for.
func AppendContent(b []byte, channel uint16, properties, body []byte, frameMax int) []byte {
	b = appendFrameHead(b, FrameHeader, channel, contentHead+len(properties))
	b = binary.BigEndian.AppendUint32(b, uint32(IDBasicPublish.Class())<<16) // class, weight 0
	b = binary.BigEndian.AppendUint64(b, uint64(len(body)))
	b = append(append(b, properties...), frameEnd)
	for len(body) > 0 {
		part := body[:min(len(body), frameMax-FrameOverhead)]
		b = AppendFrame(b, Frame{Type: FrameBody, Channel: channel, Payload: part})
		body = body[len(part):]
	}
	return b
}

// ContentSize returns how many bytes AppendContent would append.
func ContentSize(properties, body []byte, frameMax int) int {
	part := frameMax - FrameOverhead
	frames := (len(body) + part - 1) / part
	return FrameOverhead + contentHead + len(properties) + len(body) + frames*FrameOverhead
}

// AppendDeliver encodes basic.deliver in its frame: what AppendMethodFrame
// does, for the one method that is sent for every message.
func AppendDeliver(b []byte, channel uint16, m *BasicDeliver) []byte {
	const fixed = 4 + 1 + 8 + 1 + 1 + 1 // id, tag's length, delivery tag, redelivered, two lengths
	b = appendFrameHead(b, FrameMethod, channel, fixed+len(m.ConsumerTag)+len(m.Exchange)+len(m.RoutingKey))
	b = binary.BigEndian.AppendUint32(b, uint32(IDBasicDeliver))
	b = append(append(b, byte(len(m.ConsumerTag))), m.ConsumerTag...)
	b = binary.BigEndian.AppendUint64(b, m.DeliveryTag)
	var redelivered byte
	if m.Redelivered {
		redelivered = 1
	}
	b = append(append(b, redelivered, byte(len(m.Exchange))), m.Exchange...)
	b = append(append(b, byte(len(m.RoutingKey))), m.RoutingKey...)
	return append(b, frameEnd)
}
