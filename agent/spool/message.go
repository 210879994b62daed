package spool

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"time"

	"thump/internal/bus"
)

// errMessage: the properties of a message cannot be read.
var errMessage = errors.New("properties of a spooled batch cannot be read")

// appendProperties encodes all of a message but its body, see FORMAT.md.
func appendProperties(b []byte, m *bus.Message) []byte {
	for _, s := range []string{m.Key, m.ContentType, m.ContentEncoding, m.Type, m.ID} {
		b = appendString(b, s)
	}
	b = binary.AppendVarint(b, m.Time.UnixNano())
	for _, name := range slices.Sorted(maps.Keys(m.Headers)) {
		b = appendString(b, name)
		b = appendString(b, m.Headers[name])
	}
	return b
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// parseProperties is the reverse of appendProperties.
func parseProperties(b []byte) (*bus.Message, error) {
	m := &bus.Message{Headers: map[string]string{}}
	p := parser{rest: b}
	for _, s := range []*string{&m.Key, &m.ContentType, &m.ContentEncoding, &m.Type, &m.ID} {
		*s = p.string()
	}
	m.Time = time.Unix(0, p.varint())
	for !p.failed && len(p.rest) > 0 {
		name := p.string()
		m.Headers[name] = p.string()
	}
	if p.failed {
		return nil, errMessage
	}
	return m, nil
}

// parser takes values off the front; once one is not there, it has failed.
type parser struct {
	rest   []byte
	failed bool
}

func (p *parser) string() string {
	n := p.uvarint()
	if n > uint64(len(p.rest)) {
		p.failed = true
	}
	if p.failed {
		return ""
	}
	s := string(p.rest[:n])
	p.rest = p.rest[n:]
	return s
}

func (p *parser) uvarint() uint64 {
	v, n := binary.Uvarint(p.rest)
	return v * uint64(p.skip(n))
}

func (p *parser) varint() int64 {
	v, n := binary.Varint(p.rest)
	return v * int64(p.skip(n))
}

// skip takes the n bytes of a number; it returns 0 if there was none, else 1.
func (p *parser) skip(n int) int {
	if n <= 0 {
		p.failed = true
		return 0
	}
	p.rest = p.rest[n:]
	return 1
}
