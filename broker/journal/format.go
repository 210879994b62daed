package journal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
)

// Layout of a segment, drawn in FORMAT.md.
const (
	magic      = "thumpjnl"
	version    = 1
	headerSize = 48

	kindMessage = 1 // a message as published
	kindMoved   = 2 // a message that compaction copied from an older segment
	kindDone    = 3 // messages that left a queue
	kindMark    = 4 // how much of the segment was synced before this batch

	kindReturned = 5 // how often messages were put back into a queue

	maxID = 1 << 62

	// doneIDs is the number of ids that one done or returned record takes at most.
	doneIDs = 1024
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A segmentID is what a segment's name and header say.
type segmentID struct {
	seq  uint32 // place in the log
	seed uint32 // of its records' sums
	base uint64 // first id that was free
}

func (s segmentID) name() string {
	return fmt.Sprintf("%08x-%016x-%08x.seg", s.seq, s.base, s.seed)
}

func parseName(name string) (s segmentID, ok bool) {
	n, err := fmt.Sscanf(name, "%08x-%016x-%08x.seg", &s.seq, &s.base, &s.seed)
	return s, n == 3 && err == nil && s.base <= maxID && s.name() == name
}

// appendHeader appends a segment's header. before is the length of the segment before it.
func appendHeader(dst []byte, s segmentID, before int64) []byte {
	start := len(dst)
	dst = append(dst, magic...)
	dst = binary.LittleEndian.AppendUint32(dst, version)
	dst = binary.LittleEndian.AppendUint32(dst, s.seed)
	dst = binary.LittleEndian.AppendUint32(dst, s.seq)
	dst = binary.LittleEndian.AppendUint32(dst, 0)
	dst = binary.LittleEndian.AppendUint64(dst, s.base)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(before))
	dst = binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
	return binary.LittleEndian.AppendUint32(dst, 0)
}

// parseHeader returns the length of the segment before, or false when b is not a
// sound header of segment s. A header of another version is an error.
func parseHeader(b []byte, s segmentID) (before int64, ok bool, err error) {
	if len(b) < headerSize || string(b[:8]) != magic ||
		crc32.Checksum(b[:40], castagnoli) != binary.LittleEndian.Uint32(b[40:]) {
		return 0, false, nil
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != version {
		return 0, false, fmt.Errorf("segment %s has format version %d, this thump reads %d", s.name(), v, version)
	}
	before = int64(binary.LittleEndian.Uint64(b[32:]))
	return before, slices.Equal(b[:headerSize], appendHeader(nil, s, before)), nil
}

// A messageMeta is the meta of a message record; its body is header and body of the message.
type messageMeta struct {
	id        uint64
	headerLen int
	queues    []uint64
}

func appendMessageMeta(dst []byte, id uint64, headerLen int, queues []uint64) []byte {
	dst = binary.AppendUvarint(dst, id)
	dst = binary.AppendUvarint(dst, uint64(headerLen))
	dst = binary.AppendUvarint(dst, uint64(len(queues)))
	for _, q := range queues {
		dst = binary.AppendUvarint(dst, q)
	}
	return dst
}

// parse reads b; it reuses the memory of m.queues.
func (m *messageMeta) parse(b []byte, bodyLen int) bool {
	d := decoder{b: b}
	id, headerLen, n := d.uvarint(), d.uvarint(), d.uvarint()
	if d.bad || id == 0 || id > maxID || headerLen > uint64(bodyLen) || n > uint64(len(d.b)) {
		return false
	}
	m.id, m.headerLen, m.queues = id, int(headerLen), m.queues[:0]
	for range n {
		m.queues = append(m.queues, d.uvarint())
	}
	return !d.bad && len(d.b) == 0
}

func appendDoneMeta(dst []byte, queue uint64, ids []uint64) []byte {
	dst = binary.AppendUvarint(dst, queue)
	last := uint64(0)
	for _, id := range ids {
		dst = binary.AppendVarint(dst, int64(id-last))
		last = id
	}
	return dst
}

// parseDone calls done with each id of a done record's meta.
func parseDone(b []byte, done func(queue, id uint64)) bool {
	d := decoder{b: b}
	queue, id := d.uvarint(), uint64(0)
	for !d.bad && len(d.b) > 0 {
		if id += uint64(d.varint()); d.bad || id > maxID {
			return false
		}
		done(queue, id)
	}
	return !d.bad
}

func parseMark(b []byte) (synced int64, ok bool) {
	if len(b) != 8 {
		return 0, false
	}
	synced = int64(binary.LittleEndian.Uint64(b))
	return synced, synced >= 0
}

type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	d.advance(n)
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	d.advance(n)
	return v
}

func (d *decoder) advance(n int) {
	if d.bad = d.bad || n <= 0; !d.bad {
		d.b = d.b[n:]
	}
}
