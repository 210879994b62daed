package amqp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

// Limits of a field table, so that a small frame cannot unfold into a large
// tree.
const (
	maxTableDepth  = 16   // tables and arrays within one another
	maxTableValues = 8192 // values of the whole tree
)

var (
	errTableDepth  = fmt.Errorf("field table is nested deeper than %d", maxTableDepth)
	errTableValues = fmt.Errorf("field table holds more than %d values", maxTableValues)
	errTableKey    = errors.New("field table key is longer than 255 bytes")
)

// Table is a field table. Its values are nil, bool, int8, uint8, int16, uint16,
// int32, uint32, int64, float32, float64, Decimal, string, []byte, time.Time,
// Table or []any of these.
type Table map[string]any

// Decimal is a fixed-point number: Value / 10^Scale.
type Decimal struct {
	Scale uint8
	Value uint32
}

// ParseTable decodes the content of a field table, without its length prefix.
func ParseTable(b []byte) (Table, error) {
	p := tableParser{values: maxTableValues}
	return p.table(b, maxTableDepth)
}

// Append encodes the table, with its length prefix and its keys in order.
func (t Table) Append(b []byte) ([]byte, error) {
	return appendSized(b, func(b []byte) ([]byte, error) {
		var err error
		for _, key := range slices.Sorted(maps.Keys(t)) {
			if len(key) > 255 {
				return nil, errTableKey
			}
			b = append(b, uint8(len(key)))
			b = append(b, key...)
			if b, err = appendValue(b, t[key]); err != nil {
				return nil, fmt.Errorf("encode table field %q: %w", key, err)
			}
		}
		return b, nil
	})
}

// tableParser decodes one tree of tables and arrays.
type tableParser struct {
	values int // how many more the tree may have
}

func (p *tableParser) table(b []byte, depth int) (Table, error) {
	if depth == 0 {
		return nil, errTableDepth
	}
	t := make(Table)
	d := decoder{b: b}
	for len(d.b) > 0 {
		key := d.shortstr()
		value, err := p.value(&d, depth)
		if err != nil {
			return nil, err
		}
		t[key] = value
	}
	return t, d.err
}

func (p *tableParser) array(b []byte, depth int) ([]any, error) {
	if depth == 0 {
		return nil, errTableDepth
	}
	a := []any{}
	d := decoder{b: b}
	for len(d.b) > 0 {
		value, err := p.value(&d, depth)
		if err != nil {
			return nil, err
		}
		a = append(a, value)
	}
	return a, d.err
}

// value decodes one value after its type letter. The letters are RabbitMQ's,
// which differ from those of the specification.
func (p *tableParser) value(d *decoder, depth int) (v any, err error) {
	if p.values--; p.values < 0 {
		return nil, errTableValues
	}
	switch letter := d.octet(); letter {
	case 'V':
	case 't':
		v = d.octet() != 0
	case 'b':
		v = int8(d.octet())
	case 'B':
		v = d.octet()
	case 's':
		v = int16(d.short())
	case 'u':
		v = d.short()
	case 'I':
		v = int32(d.long())
	case 'i':
		v = d.long()
	case 'l', 'L':
		v = int64(d.longlong())
	case 'f':
		v = math.Float32frombits(d.long())
	case 'd':
		v = math.Float64frombits(d.longlong())
	case 'D':
		v = Decimal{Scale: d.octet(), Value: d.long()}
	case 'S':
		v = d.longstr()
	case 'x':
		v = append([]byte{}, d.take(d.size())...)
	case 'T':
		v = time.Unix(int64(d.longlong()), 0).UTC()
	case 'F':
		v, err = p.table(d.take(d.size()), depth-1)
	case 'A':
		v, err = p.array(d.take(d.size()), depth-1)
	default:
		err = fmt.Errorf("unknown field type %q", letter)
	}
	if d.err != nil {
		return nil, d.err
	}
	return v, err
}

func appendValue(b []byte, v any) ([]byte, error) {
	be := binary.BigEndian
	switch v := v.(type) {
	case nil:
		return append(b, 'V'), nil
	case bool:
		if v {
			return append(b, 't', 1), nil
		}
		return append(b, 't', 0), nil
	case int8:
		return append(b, 'b', uint8(v)), nil
	case uint8:
		return append(b, 'B', v), nil
	case int16:
		return be.AppendUint16(append(b, 's'), uint16(v)), nil
	case uint16:
		return be.AppendUint16(append(b, 'u'), v), nil
	case int32:
		return be.AppendUint32(append(b, 'I'), uint32(v)), nil
	case uint32:
		return be.AppendUint32(append(b, 'i'), v), nil
	case int64:
		return be.AppendUint64(append(b, 'l'), uint64(v)), nil
	case float32:
		return be.AppendUint32(append(b, 'f'), math.Float32bits(v)), nil
	case float64:
		return be.AppendUint64(append(b, 'd'), math.Float64bits(v)), nil
	case Decimal:
		return be.AppendUint32(append(b, 'D', v.Scale), v.Value), nil
	case string:
		return append(be.AppendUint32(append(b, 'S'), uint32(len(v))), v...), nil
	case []byte:
		return append(be.AppendUint32(append(b, 'x'), uint32(len(v))), v...), nil
	case time.Time:
		return be.AppendUint64(append(b, 'T'), uint64(v.Unix())), nil
	case Table:
		return v.Append(append(b, 'F'))
	case []any:
		return appendArray(append(b, 'A'), v)
	}
	return nil, fmt.Errorf("a %T has no field type", v)
}

func appendArray(b []byte, values []any) ([]byte, error) {
	return appendSized(b, func(b []byte) ([]byte, error) {
		var err error
		for _, v := range values {
			if b, err = appendValue(b, v); err != nil {
				return nil, err
			}
		}
		return b, nil
	})
}

// appendSized appends what fill appends, with its length in front.
func appendSized(b []byte, fill func([]byte) ([]byte, error)) ([]byte, error) {
	at := len(b)
	b, err := fill(append(b, 0, 0, 0, 0))
	if err != nil {
		return nil, err
	}
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	return b, nil
}
