package journal

import (
	"errors"
	"fmt"
	"io"

	"thump/internal/record"
)

// Read returns a message. The bytes must not be changed, and share memory with those of
// messages near it: who keeps them copies them.
func (j *Journal) Read(id uint64) (header, body []byte, err error) {
	for {
		rec, b, err := j.readRecord(id)
		switch {
		case errors.Is(err, errRemoved): // it has moved: look again
			continue
		case errors.Is(err, record.ErrDamaged), errors.Is(err, io.EOF): // EOF: the file is cut short
			return nil, nil, fmt.Errorf("read message %d: %w", id, ErrDamaged)
		case err != nil:
			return nil, nil, fmt.Errorf("read message %d: %w", id, err)
		}
		var m messageMeta
		if !m.parse(rec.Meta, len(b)) || m.id != id {
			return nil, nil, fmt.Errorf("read message %d: %w", id, ErrDamaged)
		}
		return b[:m.headerLen:m.headerLen], b[m.headerLen:len(b):len(b)], nil
	}
}

func (j *Journal) readRecord(id uint64) (record.Record, []byte, error) {
	j.mu.Lock()
	seg, off, limit, err := j.place(id)
	if err != nil || off >= seg.written {
		defer j.mu.Unlock()
		if err != nil {
			return record.Record{}, nil, err
		}
		return j.readMemory(seg, off)
	}
	written := seg.written
	j.mu.Unlock()
	return j.ahead.read(seg, off, min(limit, written), written)
}

// place returns where a message's record begins and where it has ended at the latest.
func (j *Journal) place(id uint64) (seg *segment, off, limit int64, err error) {
	s, i := j.spans.find(id)
	switch {
	case j.ended:
		return nil, 0, 0, ErrClosed
	case s == nil || !s.alive(i):
		return nil, 0, 0, ErrNotFound
	}
	seg, off = j.segment(s.seqOf(i)), int64(s.off[i])
	limit = off + s.sizeOf(i)
	if limit == off {
		limit = seg.written
	}
	return seg, off, limit, nil
}

// readMemory copies a record that is not in its file yet.
func (j *Journal) readMemory(seg *segment, off int64) (record.Record, []byte, error) {
	b := j.flushing.bytesAt(seg, off)
	if b == nil {
		b = j.filling.bytesAt(seg, off)
	}
	size, ok := record.SizeOf(b, seg.seed)
	if !ok || size > int64(len(b)) {
		return record.Record{}, nil, record.ErrDamaged
	}
	return record.Parse(append([]byte(nil), b[:size]...), seg.seed)
}
