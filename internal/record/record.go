package record

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// HeadSize is the number of bytes that a record takes besides its meta and body.
const HeadSize = 20

// MaxMeta is the largest meta in bytes. The largest body is 4 GiB - 1.
const MaxMeta = 1<<24 - 1

// ErrDamaged says that bytes are not the record that was written.
var ErrDamaged = errors.New("record is damaged")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A Record is a record's place and meta.
type Record struct {
	Offset  int64 // of the head, in the file
	Kind    byte
	Meta    []byte
	BodyLen int
	bodySum uint32
}

// Size returns the number of bytes of the whole record.
func (r *Record) Size() int64 { return HeadSize + int64(len(r.Meta)) + int64(r.BodyLen) }

// End returns the offset of the byte behind the record.
func (r *Record) End() int64 { return r.Offset + r.Size() }

// BodyOffset returns the offset of the body.
func (r *Record) BodyOffset() int64 { return r.Offset + HeadSize + int64(len(r.Meta)) }

// Sum returns the checksum of a body given in parts.
func Sum(parts ...[]byte) uint32 {
	var sum uint32
	for _, p := range parts {
		sum = crc32.Update(sum, castagnoli, p)
	}
	return sum
}

// Append appends a record whose body is the concatenation of parts. The kind must not
// be 0 and meta not longer than MaxMeta.
func Append(dst []byte, seed uint32, kind byte, meta []byte, parts ...[]byte) []byte {
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	dst = AppendHead(dst, seed, kind, meta, size, Sum(parts...))
	for _, p := range parts {
		dst = append(dst, p...)
	}
	return dst
}

// AppendHead appends head and meta of a record whose body, of that length and sum, the
// caller appends.
func AppendHead(dst []byte, seed uint32, kind byte, meta []byte, bodyLen int, bodySum uint32) []byte {
	var head [HeadSize]byte
	binary.LittleEndian.PutUint32(head[4:], uint32(kind)|uint32(len(meta))<<8)
	binary.LittleEndian.PutUint32(head[8:], uint32(bodyLen))
	binary.LittleEndian.PutUint32(head[12:], Sum(meta))
	binary.LittleEndian.PutUint32(head[16:], bodySum)
	binary.LittleEndian.PutUint32(head[:], crc32.Update(seed, castagnoli, head[4:]))
	dst = append(dst, head[:]...)
	return append(dst, meta...)
}

// Parse checks the record at the start of b and returns it, with Offset 0, and its
// body. Both point into b.
func Parse(b []byte, seed uint32) (Record, []byte, error) {
	h, ok := parseHead(b, seed)
	if !ok || int64(len(b)) < h.size() {
		return Record{}, nil, ErrDamaged
	}
	meta := b[HeadSize : HeadSize+h.metaLen]
	body := b[HeadSize+h.metaLen : h.size()]
	if Sum(meta) != h.metaSum || Sum(body) != h.bodySum {
		return Record{}, nil, ErrDamaged
	}
	return Record{Kind: h.kind, Meta: meta, BodyLen: len(body), bodySum: h.bodySum}, body, nil
}

// SizeOf returns the size of the whole record whose head is at the start of b, or false
// when there is no head. b may end anywhere behind the head.
func SizeOf(b []byte, seed uint32) (int64, bool) {
	h, ok := parseHead(b, seed)
	return h.size(), ok
}

type head struct {
	kind             byte
	metaLen          int
	bodyLen          int64
	metaSum, bodySum uint32
}

func (h *head) size() int64 { return HeadSize + int64(h.metaLen) + h.bodyLen }

func parseHead(b []byte, seed uint32) (head, bool) {
	if len(b) < HeadSize || b[4] == 0 || crc32.Update(seed, castagnoli, b[4:HeadSize]) != binary.LittleEndian.Uint32(b) {
		return head{}, false
	}
	return head{
		kind:    b[4],
		metaLen: int(binary.LittleEndian.Uint32(b[4:]) >> 8),
		bodyLen: int64(binary.LittleEndian.Uint32(b[8:])),
		metaSum: binary.LittleEndian.Uint32(b[12:]),
		bodySum: binary.LittleEndian.Uint32(b[16:]),
	}, true
}
