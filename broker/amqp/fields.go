package amqp

import (
	"encoding/binary"
	"errors"
)

// errShort says that the bytes end before the value does.
var errShort = errors.New("truncated field")

// decoder walks the fields of a method, table or property list. The first
// failure sticks; the values read after it are zero.
type decoder struct {
	b    []byte
	bits struct { // the octet that consecutive bit fields share
		octet byte
		left  int
	}
	names *names // may be nil
	err   error
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
	d.b = nil
}

// take returns the next n bytes, borrowed from the input.
func (d *decoder) take(n int) []byte {
	d.bits.left = 0
	if n > len(d.b) {
		d.fail(errShort)
		return nil
	}
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) octet() uint8 {
	if v := d.take(1); v != nil {
		return v[0]
	}
	return 0
}

func (d *decoder) short() uint16 {
	if v := d.take(2); v != nil {
		return binary.BigEndian.Uint16(v)
	}
	return 0
}

func (d *decoder) long() uint32 {
	if v := d.take(4); v != nil {
		return binary.BigEndian.Uint32(v)
	}
	return 0
}

func (d *decoder) longlong() uint64 {
	if v := d.take(8); v != nil {
		return binary.BigEndian.Uint64(v)
	}
	return 0
}

// bit reads one of the flags that are packed into an octet, lowest bit first
// (AMQP 0-9-1 §4.2.5.2).
func (d *decoder) bit() bool {
	if d.bits.left == 0 {
		d.bits.octet = d.octet()
		d.bits.left = 8
	}
	v := d.bits.octet&1 != 0
	d.bits.octet >>= 1
	d.bits.left--
	return v
}

func (d *decoder) shortstr() string { return d.names.intern(d.take(int(d.octet()))) }

func (d *decoder) longstr() string { return string(d.take(d.size())) }

// size reads the length of a long string, table or array.
func (d *decoder) size() int {
	n := d.long()
	if uint64(n) > uint64(len(d.b)) {
		d.fail(errShort)
		return 0
	}
	return int(n)
}

func (d *decoder) table() Table {
	b := d.take(d.size())
	if d.err != nil || len(b) == 0 {
		return nil
	}
	t, err := ParseTable(b)
	if err != nil {
		d.fail(err)
	}
	return t
}

// encoder appends fields. It is passed by value, as a pointer to it would be
// allocated for every method. The first failure sticks.
type encoder struct {
	b    []byte
	bits int // how many bit fields the last octet holds
	err  error
}

func (e encoder) octet(v uint8) encoder {
	e.bits = 0
	e.b = append(e.b, v)
	return e
}

func (e encoder) short(v uint16) encoder {
	e.bits = 0
	e.b = binary.BigEndian.AppendUint16(e.b, v)
	return e
}

func (e encoder) long(v uint32) encoder {
	e.bits = 0
	e.b = binary.BigEndian.AppendUint32(e.b, v)
	return e
}

func (e encoder) longlong(v uint64) encoder {
	e.bits = 0
	e.b = binary.BigEndian.AppendUint64(e.b, v)
	return e
}

func (e encoder) bit(v bool) encoder {
	if e.bits == 0 || e.bits == 8 {
		e = e.octet(0)
	}
	if v {
		e.b[len(e.b)-1] |= 1 << e.bits
	}
	e.bits++
	return e
}

// shortstr cuts what does not fit: only reply texts can be too long, as every
// other short string came from a peer as one.
func (e encoder) shortstr(v string) encoder {
	if len(v) > 255 {
		v = v[:252] + "..."
	}
	e = e.octet(uint8(len(v)))
	e.b = append(e.b, v...)
	return e
}

func (e encoder) longstr(v string) encoder {
	e = e.long(uint32(len(v)))
	e.b = append(e.b, v...)
	return e
}

func (e encoder) table(t Table) encoder {
	e.bits = 0
	b, err := t.Append(e.b)
	if err == nil {
		e.b = b
	} else if e.err == nil {
		e.err = err
	}
	return e
}
