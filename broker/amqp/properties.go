package amqp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// PropertyFlags says which properties of a message are present. The bits are
// those of the content header, AMQP 0-9-1 §2.3.5.2.
type PropertyFlags uint16

// The properties of class basic.
const (
	FlagContentType PropertyFlags = 1 << (15 - iota)
	FlagContentEncoding
	FlagHeaders
	FlagDeliveryMode
	FlagPriority
	FlagCorrelationID
	FlagReplyTo
	FlagExpiration
	FlagMessageID
	FlagTimestamp
	FlagType
	FlagUserID
	FlagAppID
	FlagClusterID

	flagsUnknown PropertyFlags = 0b11 // the reserved and the continuation bit
)

// Delivery modes.
const (
	Transient  uint8 = 1
	Persistent uint8 = 2
)

// NoProperties is the encoded form of a message without properties.
var NoProperties = [2]byte{}

var errPropertyFlags = errors.New("unknown property flags")

// Properties are the decoded properties of a message. The encoded form is what
// the content header frame carries: the flags and the values of those present.
type Properties struct {
	Flags           PropertyFlags // as parsed; Append also writes every value that is not zero
	ContentType     string
	ContentEncoding string
	Headers         Table
	DeliveryMode    uint8
	Priority        uint8
	CorrelationID   string
	ReplyTo         string
	Expiration      string
	MessageID       string
	Timestamp       time.Time
	Type            string
	UserID          string
	AppID           string
	ClusterID       string
}

// ParseProperties decodes properties. Bytes after the last one are an error.
func ParseProperties(b []byte) (Properties, error) {
	d := decoder{b: b}
	p := Properties{Flags: PropertyFlags(d.short())}
	if p.Flags&flagsUnknown != 0 {
		return Properties{}, errPropertyFlags
	}
	p.read(&d)
	if d.err == nil && len(d.b) > 0 {
		d.err = fmt.Errorf("%d bytes follow the properties", len(d.b))
	}
	if d.err != nil {
		return Properties{}, fmt.Errorf("parse properties: %w", d.err)
	}
	return p, nil
}

// read decodes the values in the order of their flags.
func (p *Properties) read(d *decoder) {
	text := func(flag PropertyFlags, v *string) {
		if p.Flags&flag != 0 {
			*v = d.shortstr()
		}
	}
	text(FlagContentType, &p.ContentType)
	text(FlagContentEncoding, &p.ContentEncoding)
	if p.Flags&FlagHeaders != 0 {
		p.Headers = d.table()
	}
	if p.Flags&FlagDeliveryMode != 0 {
		p.DeliveryMode = d.octet()
	}
	if p.Flags&FlagPriority != 0 {
		p.Priority = d.octet()
	}
	text(FlagCorrelationID, &p.CorrelationID)
	text(FlagReplyTo, &p.ReplyTo)
	text(FlagExpiration, &p.Expiration)
	text(FlagMessageID, &p.MessageID)
	if p.Flags&FlagTimestamp != 0 {
		p.Timestamp = time.Unix(int64(d.longlong()), 0).UTC()
	}
	text(FlagType, &p.Type)
	text(FlagUserID, &p.UserID)
	text(FlagAppID, &p.AppID)
	text(FlagClusterID, &p.ClusterID)
}

// Append encodes the properties.
func (p Properties) Append(b []byte) ([]byte, error) {
	e := encoder{b: b}
	at := len(b)
	flags := p.Flags &^ flagsUnknown
	e = e.short(0)
	has := func(flag PropertyFlags, set bool) bool {
		if set {
			flags |= flag
		}
		return flags&flag != 0
	}
	text := func(flag PropertyFlags, v string) {
		if has(flag, v != "") {
			e = e.shortstr(v)
		}
	}
	text(FlagContentType, p.ContentType)
	text(FlagContentEncoding, p.ContentEncoding)
	if has(FlagHeaders, p.Headers != nil) {
		e = e.table(p.Headers)
	}
	if has(FlagDeliveryMode, p.DeliveryMode != 0) {
		e = e.octet(p.DeliveryMode)
	}
	if has(FlagPriority, p.Priority != 0) {
		e = e.octet(p.Priority)
	}
	text(FlagCorrelationID, p.CorrelationID)
	text(FlagReplyTo, p.ReplyTo)
	text(FlagExpiration, p.Expiration)
	text(FlagMessageID, p.MessageID)
	if has(FlagTimestamp, !p.Timestamp.IsZero()) {
		e = e.longlong(uint64(p.Timestamp.Unix()))
	}
	text(FlagType, p.Type)
	text(FlagUserID, p.UserID)
	text(FlagAppID, p.AppID)
	text(FlagClusterID, p.ClusterID)
	if e.err != nil {
		return nil, fmt.Errorf("encode properties: %w", e.err)
	}
	binary.BigEndian.PutUint16(e.b[at:], uint16(flags))
	return e.b, nil
}

// DeliveryMode returns the delivery mode of encoded properties, zero when it is
// absent. It walks the bytes and allocates nothing.
func DeliveryMode(encoded []byte) (uint8, error) {
	d := decoder{b: encoded}
	flags := PropertyFlags(d.short())
	if flags&flagsUnknown != 0 {
		return 0, errPropertyFlags
	}
	d.skipToMode(flags)
	var mode uint8
	if flags&FlagDeliveryMode != 0 {
		mode = d.octet()
	}
	return mode, d.err
}
