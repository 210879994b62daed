package amqp

import (
	"encoding/binary"
	"fmt"
)

// MethodID is a class and a method number: class<<16 | method.
type MethodID uint32

// Class returns the class number.
func (id MethodID) Class() uint16 { return uint16(id >> 16) }

// Method returns the number of the method in its class.
func (id MethodID) Method() uint16 { return uint16(id) }

func (id MethodID) number() string { return fmt.Sprintf("method %d.%d", id.Class(), id.Method()) }

// Method is one of the generated method structs.
type Method interface {
	ID() MethodID
	decode(d *decoder)
	append(e encoder) encoder
}

// PeekMethod returns the id of an encoded method.
func PeekMethod(payload []byte) (MethodID, error) {
	if len(payload) < 4 {
		return 0, ConnectionError(FrameError, "a method frame of %d bytes", len(payload))
	}
	return MethodID(binary.BigEndian.Uint32(payload)), nil
}

// ParseMethod decodes the payload of a method frame into a new method.
func ParseMethod(payload []byte) (Method, error) {
	id, err := PeekMethod(payload)
	if err != nil {
		return nil, err
	}
	m := newMethod(id)
	if m == nil {
		return nil, ConnectionError(NotImplemented, "unknown %s", id)
	}
	return m, decodeMethod(&decoder{b: payload}, m)
}

// Decoder decodes methods without an allocation: into structs of the caller,
// with short strings that it has seen before. It belongs to one goroutine.
type Decoder struct {
	names names
	d     decoder
}

// NewDecoder returns a decoder that has seen nothing yet.
func NewDecoder() *Decoder { return &Decoder{names: newNames()} }

// Decode decodes the payload of a method frame into m, whose id the caller has
// compared with PeekMethod.
func (x *Decoder) Decode(payload []byte, m Method) error {
	x.d = decoder{b: payload, names: &x.names}
	return decodeMethod(&x.d, m)
}

func decodeMethod(d *decoder, m Method) error {
	d.long() // the id
	m.decode(d)
	if d.err == nil && len(d.b) > 0 {
		d.fail(fmt.Errorf("%d bytes follow the arguments", len(d.b)))
	}
	if d.err == nil {
		return nil
	}
	id := m.ID()
	e := ConnectionError(FrameError, "cannot decode %s: %s", id, d.err)
	e.ClassID, e.MethodID = id.Class(), id.Method()
	return e
}

// AppendMethod encodes a method as the payload of a method frame. It fails only
// on a table with a value that has no field type.
func AppendMethod(b []byte, m Method) ([]byte, error) {
	e := encoder{b: binary.BigEndian.AppendUint32(b, uint32(m.ID()))}
	if e = m.append(e); e.err != nil {
		return nil, fmt.Errorf("encode %s: %w", m.ID(), e.err)
	}
	return e.b, nil
}
