package journal

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"slices"

	"thump/internal/record"
)

// A scan is what one segment holds, read from its file at Open.
type scan struct {
	seg       *segment
	lenBefore int64 // from the header, 0: unknown

	span    *span    // messages appended here, with all their queues
	moved   []copied // other messages, in order
	sets    queueSets
	dones   []byte // metas of done records, each behind its length
	returns []byte // the same of returned records
	maxID   uint64
	message messageMeta // scratch

	end    int64 // behind the last record, or the last damage
	damage []record.Region
	torn   int64 // bytes cut off the end
	err    error // of reading: what is behind is damage
}

// copied is a message that has its record, or its newest, in another segment than its neighbours.
type copied struct {
	id                uint64
	seq, off          uint32
	size, messageSize uint32
	from              *scan // whose sets hold the queues
	set               uint32
}

// scanSegment reads a segment. The newest one may end torn: what was never synced
// of it, from the first damage on, is cut off.
func (j *Journal) scanSegment(id segmentID, newest bool) (*scan, error) {
	s := newSegment(id)
	s.sealed, s.closedOff = true, true
	r := &scan{seg: s, span: &span{base: id.base, home: s}}
	f, err := j.o.FS.Open(filepath.Join(j.dir, id.name()))
	if err != nil {
		return nil, fmt.Errorf("open journal segment: %w", err)
	}
	s.file = f
	if s.size, err = f.Size(); err != nil {
		return r, fmt.Errorf("open journal segment: %w", err)
	}
	from, err := r.readHeader()
	switch {
	case err != nil:
	case newest:
		err = r.scanNewest(from)
	default:
		r.scanSealed(from)
	}
	s.written, s.synced = s.size, s.size
	r.span.clip()
	return r, err
}

// readHeader returns the offset at which to look for records: an unreadable header counts as damage,
// its name says what is needed to read on.
func (r *scan) readHeader() (from int64, err error) {
	b, err := readFull(r.seg.file, 0, min(r.seg.size, headerSize))
	if err != nil {
		return 0, nil //nolint:nilerr // as any other damage
	}
	before, ok, err := parseHeader(b, r.seg.segmentID)
	if !ok || err != nil {
		return 0, err
	}
	r.lenBefore = before
	return headerSize, nil
}

// scanSealed reads a segment that was whole on stable storage once. Bodies are not read.
func (r *scan) scanSealed(from int64) {
	sc := record.NewScanner(r.seg.file, from, r.seg.size, r.seg.seed)
	for sc.Next() {
		r.take(sc.Record())
	}
	r.endOf(sc)
}

// scanNewest reads the segment that was written last, and cuts off what is torn.
func (r *scan) scanNewest(from int64) error {
	synced := r.syncedUpTo(from)
	sc := record.NewScanner(r.seg.file, from, r.seg.size, r.seg.seed)
	for sc.Next() && !tornAt(sc.Damage(), synced) {
		rec := *sc.Record()
		if rec.Offset >= synced {
			rec.Meta = slices.Clone(rec.Meta) // out of the way of CheckBody
			if !sc.CheckBody() {
				return r.cut(rec.Offset, synced, true)
			}
		}
		r.take(&rec)
	}
	if d := sc.Damage(); sc.Err() == nil && tornAt(d, synced) {
		r.damage = append(r.damage, d[:len(d)-1]...)
		return r.cut(d[len(d)-1].From, synced, true)
	}
	r.endOf(sc)
	if len(sc.Damage()) > 0 && sc.Damage()[len(sc.Damage())-1].To == r.seg.size || r.err != nil {
		return nil
	}
	return r.cut(sc.End(), synced, false)
}

// syncedUpTo returns the offset up to which the segment was certainly on stable storage: damage
// before it is not the trace of a crash.
func (r *scan) syncedUpTo(from int64) (synced int64) {
	sc := record.NewScanner(r.seg.file, from, r.seg.size, r.seg.seed)
	for sc.Next() {
		if rec := sc.Record(); rec.Kind == kindMark {
			if mark, ok := parseMark(rec.Meta); ok {
				synced = max(synced, min(mark, rec.Offset))
			}
		}
	}
	return synced
}

// tornAt tells whether the last damage is behind what was synced.
func tornAt(damage []record.Region, synced int64) bool {
	return len(damage) > 0 && damage[len(damage)-1].From >= synced
}

// cut ends the segment. What is behind synced may be in memory only, and if it is because
// an earlier sync failed, a sync alone would not bring it to the disk: it is written again.
func (r *scan) cut(size, synced int64, torn bool) error {
	if torn {
		r.torn = r.seg.size - size
	}
	err := r.seg.cut(size)
	if err == nil {
		err = copyRange(r.seg.file, r.seg.file, synced, size)
	}
	if err != nil {
		return fmt.Errorf("cut journal segment %s: %w", r.seg.name(), err)
	}
	r.seg.size = size
	return r.seg.sync(size)
}

// endOf takes over what the scanner found besides records.
func (r *scan) endOf(sc *record.Scanner) {
	r.damage = append(r.damage, sc.Damage()...)
	if r.err = sc.Err(); r.err != nil {
		r.damage = append(r.damage, record.Region{From: sc.End(), To: r.seg.size})
	}
	r.end = sc.End()
	if n := len(r.damage); n > 0 {
		r.end = max(r.end, r.damage[n-1].To)
	}
}

// take notes a record. One that is sound but makes no sense counts as damage.
func (r *scan) take(rec *record.Record) {
	sound := true
	switch rec.Kind {
	case kindMessage, kindMoved:
		sound = r.takeMessage(rec)
	case kindDone:
		sound = r.takeDone(rec)
	case kindReturned:
		sound = r.takeReturned(rec)
	case kindMark:
	default:
		sound = false
	}
	if !sound {
		r.damage = append(r.damage, record.Region{From: rec.Offset, To: rec.End()})
	}
}

func (r *scan) takeMessage(rec *record.Record) bool {
	m := &r.message
	if !m.parse(rec.Meta, rec.BodyLen) {
		return false
	}
	r.maxID = max(r.maxID, m.id)
	next := r.span.base + uint64(r.span.len())
	// Ids follow each other; where damage took some, it was at least a head for each.
	if rec.Kind != kindMessage || m.id < next || m.id-r.span.base > uint64(rec.Offset)/record.HeadSize {
		r.moved = append(r.moved, copied{
			id: m.id, seq: r.seg.seq, off: uint32(rec.Offset), size: uint32(rec.Size()),
			messageSize: uint32(rec.BodyLen), from: r, set: r.sets.intern(m.queues),
		})
		return true
	}
	for ; next < m.id; next++ {
		r.span.add(uint32(rec.Offset), nil)
		r.span.messageSizes = append(r.span.messageSizes, 0)
	}
	r.span.add(uint32(rec.Offset), m.queues)
	r.span.messageSizes = append(r.span.messageSizes, uint32(rec.BodyLen))
	return true
}

func (r *scan) takeDone(rec *record.Record) bool {
	sound := parseDone(rec.Meta, func(_, id uint64) {
		r.maxID = max(r.maxID, id)
		r.seg.doneIDs++
	})
	r.seg.dones += rec.Size()
	r.dones = appendMeta(r.dones, rec.Meta)
	return sound
}

func (r *scan) takeReturned(rec *record.Record) bool {
	sound := parseReturned(rec.Meta, func(p place, _ uint16) { r.maxID = max(r.maxID, p.id) })
	r.returns = appendMeta(r.returns, rec.Meta)
	return sound
}

// appendMeta appends a meta behind its length, eachMeta reads them back.
func appendMeta(dst, meta []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(meta))), meta...)
}

func eachMeta(b []byte, do func(meta []byte)) {
	for d := (decoder{b: b}); len(d.b) > 0; {
		n := d.uvarint()
		do(d.b[:n])
		d.b = d.b[n:]
	}
}

// eachDone calls done for each message that left a queue.
func (r *scan) eachDone(done func(queue, id uint64)) {
	eachMeta(r.dones, func(meta []byte) { parseDone(meta, done) })
}
