package journal

import (
	"encoding/binary"

	"thump/internal/record"
)

// markSize is the size of a mark record.
const markSize = record.HeadSize + 8

// A chunk is bytes on their way to one segment.
type chunk struct {
	seg  *segment
	off  int64
	data []byte
}

func (c *chunk) end() int64 { return c.off + int64(len(c.data)) }

// setMark writes the mark at the start of a chunk: all before synced is on stable storage.
func (c *chunk) setMark(synced int64) {
	if c.off > 0 {
		appendMark(c.data[:0], c.seg.seed, synced)
	}
}

func appendMark(dst []byte, seed uint32, synced int64) []byte {
	var meta [8]byte
	binary.LittleEndian.PutUint64(meta[:], uint64(synced))
	return record.Append(dst, seed, kindMark, meta[:])
}

// A batch is what one write and one sync make durable: chunks of one segment, or of several
// where the head of the log moved on.
type batch struct {
	chunks []chunk
	bytes  int
	last   uint64 // newest id in it
	urgent bool   // must be synced at once: it holds messages
	number uint64
}

// open returns the chunk to which what is appended to the segment goes. A chunk begins with the
// segment's header, or with a mark that is filled in when it is written.
func (b *batch) open(s *segment) *chunk {
	if n := len(b.chunks); n > 0 && b.chunks[n-1].seg == s {
		return &b.chunks[n-1]
	}
	c := chunk{seg: s, off: s.size}
	if n := len(b.chunks); n < cap(b.chunks) {
		c.data = b.chunks[:n+1][n].data[:0] // memory of an earlier batch
	}
	if s.size == 0 {
		c.data = appendHeader(c.data, s.segmentID, s.lenBefore)
	} else {
		c.data = appendMark(c.data, s.seed, 0)
	}
	s.size = c.end()
	b.chunks = append(b.chunks, c)
	return &b.chunks[len(b.chunks)-1]
}

// bytesAt returns the bytes from an offset of a segment on, nil if the batch does not hold them.
func (b *batch) bytesAt(s *segment, off int64) []byte {
	for i := range b.chunks {
		if c := &b.chunks[i]; c.seg == s && c.off <= off && off < c.end() {
			return c.data[off-c.off:]
		}
	}
	return nil
}

// reset empties the batch. It keeps the memory for the next one, unless that is much.
func (b *batch) reset(number uint64, keep int) {
	for i := range b.chunks {
		c := &b.chunks[i]
		if cap(c.data) > keep {
			c.data = nil
		}
		*c = chunk{data: c.data}
	}
	*b = batch{chunks: b.chunks[:0], number: number}
}
