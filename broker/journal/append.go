package journal

import (
	"math/rand/v2"

	"thump/internal/record"
)

// Append writes a message for some queues and returns its id; ids ascend from 1. Nothing
// is kept of the arguments. The message is durable when Durable returns its id. Append
// blocks while more than MaxPending bytes wait for the disk.
func (j *Journal) Append(queues []uint64, header, body []byte) (id uint64, err error) {
	size := len(header) + len(body)
	if size > MaxMessage || len(queues) == 0 || 10*(len(queues)+3) > record.MaxMeta {
		return 0, ErrTooLarge
	}
	sum := record.Sum(header, body)
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.waitForRoom(); err != nil {
		return 0, err
	}
	id = j.nextID
	j.meta = appendMessageMeta(j.meta[:0], id, len(header), queues)
	off := j.emit(kindMessage, j.meta, size, sum, header, body)
	j.index(off, queues)
	j.nextID++
	j.filling.last = id
	j.urge()
	j.stats.Appended++
	return id, nil
}

// index adds the message at off of the head to the head's span.
func (j *Journal) index(off int64, queues []uint64) {
	s := j.headSpan
	if n := s.len(); n > 0 && s.alive(n-1) {
		j.head.live += off - int64(s.off[n-1])
	}
	s.add(uint32(off), queues)
	j.head.records++
}

// waitForRoom blocks while too much waits for the disk.
func (j *Journal) waitForRoom() error {
	for {
		if err := j.refuse(); err != nil {
			return err
		}
		if j.filling.bytes < j.o.MaxPending/2 {
			return nil
		}
		j.changed.Wait()
	}
}

func (j *Journal) refuse() error {
	switch {
	case j.closed:
		return ErrClosed
	case j.failed != nil:
		return j.failed
	}
	return j.full
}

// emit appends a record to the head of the log, beginning a new segment when
// this one is full, and returns its offset.
func (j *Journal) emit(kind byte, meta []byte, bodyLen int, bodySum uint32, parts ...[]byte) (off int64) {
	size := int64(record.HeadSize + len(meta) + bodyLen)
	if j.head == nil || j.head.size > headerSize && j.head.size+markSize+size > j.o.SegmentSize {
		j.roll()
	}
	c := j.filling.open(j.head)
	off = c.end()
	c.data = record.AppendHead(c.data, j.head.seed, kind, meta, bodyLen, bodySum)
	for _, p := range parts {
		c.data = append(c.data, p...)
	}
	j.head.size = c.end()
	j.filling.bytes += int(size)
	j.stats.AppendedBytes += uint64(size)
	return off
}

// roll seals the head and begins the next segment. Its file is made by the syncer.
func (j *Journal) roll() {
	next := newSegment(segmentID{seq: 1, base: j.nextID, seed: rand.Uint32()})
	if n := len(j.segments); n > 0 {
		last := j.segments[n-1]
		next.seq, next.lenBefore = last.seq+1, last.size
	}
	if j.head != nil {
		next.before = j.head
		j.seal()
	}
	j.head = next
	j.segments = append(j.segments, next)
	j.headSpan = &span{base: next.base, home: next}
	j.spans = append(j.spans, j.headSpan)
}

// seal ends the head.
func (j *Journal) seal() {
	h, s := j.head, j.headSpan
	h.sealed = true
	if n := s.len(); n == 0 {
		j.spans = j.spans[:len(j.spans)-1]
	} else if s.alive(n - 1) {
		h.live += s.sizeOf(n - 1)
	}
	s.clip()
	j.head, j.headSpan = nil, nil
	signal(j.died)
}

// urge has the filling batch synced at once.
func (j *Journal) urge() {
	if !j.filling.urgent {
		j.filling.urgent = true
		signal(j.wake)
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it has one to take already
	}
}
