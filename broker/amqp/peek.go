package amqp

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// Priority returns the priority of encoded properties, zero when it is absent or
// the properties are malformed. It walks the bytes and allocates nothing.
func Priority(encoded []byte) uint8 {
	d := decoder{b: encoded}
	flags := PropertyFlags(d.short())
	if flags&FlagPriority == 0 {
		return 0
	}
	d.skipToMode(flags)
	if flags&FlagDeliveryMode != 0 {
		d.octet()
	}
	priority := d.octet()
	if d.err != nil {
		return 0
	}
	return priority
}

// skipToMode passes the properties in front of the delivery mode.
func (d *decoder) skipToMode(flags PropertyFlags) {
	if flags&FlagContentType != 0 {
		d.take(int(d.octet()))
	}
	if flags&FlagContentEncoding != 0 {
		d.take(int(d.octet()))
	}
	if flags&FlagHeaders != 0 {
		d.take(d.size())
	}
}

// Flags returns the flags of encoded properties.
func Flags(encoded []byte) PropertyFlags {
	if len(encoded) < len(NoProperties) {
		return 0
	}
	return PropertyFlags(binary.BigEndian.Uint16(encoded))
}

// MayHaveHeader reports whether encoded properties might hold a header of this
// name; false is certain. It allocates nothing.
func MayHaveHeader(encoded []byte, name string) bool {
	if Flags(encoded)&FlagHeaders == 0 {
		return false
	}
	var room [32]byte
	return bytes.Contains(encoded, append(append(room[:0], uint8(len(name))), name...))
}

// CheckProperties reports whether encoded properties are well-formed, headers
// included, and returns the delivery mode, zero when it is absent. It allocates
// nothing.
func CheckProperties(encoded []byte) (mode uint8, err error) {
	d := decoder{b: encoded}
	flags := PropertyFlags(d.short())
	if flags&flagsUnknown != 0 {
		return 0, errPropertyFlags
	}
	d.skipText(flags, FlagContentType, FlagContentEncoding)
	if flags&FlagHeaders != 0 {
		w := walker{values: maxTableValues}
		w.table(d.take(d.size()), maxTableDepth)
		if w.err != nil {
			return 0, w.err
		}
	}
	if flags&FlagDeliveryMode != 0 {
		mode = d.octet()
	}
	if flags&FlagPriority != 0 {
		d.octet()
	}
	d.skipText(flags, FlagCorrelationID, FlagReplyTo, FlagExpiration, FlagMessageID)
	if flags&FlagTimestamp != 0 {
		d.take(8)
	}
	d.skipText(flags, FlagType, FlagUserID, FlagAppID, FlagClusterID)
	if d.err == nil && len(d.b) > 0 {
		return 0, errTrailing
	}
	return mode, d.err
}

func (d *decoder) skipText(flags PropertyFlags, texts ...PropertyFlags) {
	for _, flag := range texts {
		if flags&flag != 0 {
			d.take(int(d.octet()))
		}
	}
}

var (
	errTrailing  = errors.New("bytes follow the properties")
	errFieldType = errors.New("unknown field type")
)

// walker goes through a tree of tables and arrays as tableParser does, and keeps
// nothing of it.
type walker struct {
	values int
	err    error
}

func (w *walker) table(b []byte, depth int) { w.fields(b, depth, true) }

func (w *walker) fields(b []byte, depth int, keyed bool) {
	if depth == 0 {
		w.err = errTableDepth
	}
	d := decoder{b: b}
	for len(d.b) > 0 && w.err == nil {
		if w.values--; w.values < 0 {
			w.err = errTableValues
			return
		}
		if keyed {
			d.take(int(d.octet()))
		}
		w.value(&d, depth)
		if w.err == nil {
			w.err = d.err
		}
	}
}

func (w *walker) value(d *decoder, depth int) {
	switch d.octet() {
	case 'V':
	case 't', 'b', 'B':
		d.take(1)
	case 's', 'u':
		d.take(2)
	case 'I', 'i', 'f':
		d.take(4)
	case 'l', 'L', 'd', 'T':
		d.take(8)
	case 'D':
		d.take(5)
	case 'S', 'x':
		d.take(d.size())
	case 'F':
		w.fields(d.take(d.size()), depth-1, true)
	case 'A':
		w.fields(d.take(d.size()), depth-1, false)
	default:
		if d.err == nil {
			w.err = errFieldType
		}
	}
}
