package journal

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// A Return says how often a message was delivered from a queue and put back.
type Return struct {
	ID    uint64
	Count uint16
}

// A place is a message in a queue.
type place struct{ queue, id uint64 }

// A note is the newest record of a Return.
type note struct {
	count uint16
	seq   uint32 // segment that holds the record
}

// Returned notes how often messages of a queue were put back, so that the counts go on after a restart. Like
// Done it is not synced for its own sake. Messages that are not in the queue are skipped.
func (j *Journal) Returned(queue uint64, returns ...Return) error {
	for chunk := range slices.Chunk(returns, doneIDs) {
		if err := j.returned(queue, chunk); err != nil {
			return err
		}
	}
	return nil
}

func (j *Journal) returned(queue uint64, returns []Return) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.refuse(); err != nil && j.full == nil {
		return err
	}
	j.returns = j.returns[:0]
	for _, r := range returns {
		if s, i := j.spans.find(r.ID); s != nil && s.holds(i, queue) {
			j.returns = append(j.returns, r)
		}
	}
	j.emitReturned(queue, j.returns)
	return nil
}

// emitReturned appends a record of returns, which takes the place of earlier ones.
func (j *Journal) emitReturned(queue uint64, returns []Return) {
	if len(returns) == 0 {
		return
	}
	if len(j.filling.chunks) == 0 {
		signal(j.wake)
	}
	j.meta = appendReturnedMeta(j.meta[:0], queue, returns)
	j.emit(kindReturned, j.meta, 0, 0)
	for _, r := range returns {
		j.setNote(place{queue, r.ID}, note{r.Count, j.head.seq})
	}
}

func (j *Journal) setNote(p place, n note) {
	j.dropNote(p)
	if j.notes == nil {
		j.notes = make(map[place]note)
	}
	j.notes[p] = n
	j.segment(n.seq).notes++
}

// dropNote forgets the note of a message, if there is one.
func (j *Journal) dropNote(p place) {
	n, noted := j.notes[p]
	if !noted {
		return
	}
	delete(j.notes, p)
	seg := j.segment(n.seq)
	if seg.notes--; seg.notes == 0 && seg.sealed {
		signal(j.died)
	}
}

// moveNotes writes the notes of a segment again, at the head of the log.
func (c *compaction) moveNotes() error {
	j := c.j
	j.mu.Lock()
	defer j.mu.Unlock()
	var places []place
	for p, n := range j.notes {
		if n.seq == c.from.seq {
			places = append(places, p)
		}
	}
	slices.SortFunc(places, func(a, b place) int { return cmp.Or(cmp.Compare(a.queue, b.queue), cmp.Compare(a.id, b.id)) })
	var returns []Return
	for i, p := range places {
		returns = append(returns, Return{p.id, j.notes[p].count})
		if i+1 < len(places) && places[i+1].queue == p.queue && len(returns) < doneIDs {
			continue
		}
		if err := j.refuse(); err != nil {
			return err
		}
		j.emitReturned(p.queue, returns)
		returns = returns[:0]
	}
	if len(places) > 0 {
		c.from.copied = j.filling.number
	}
	return nil
}

func appendReturnedMeta(dst []byte, queue uint64, returns []Return) []byte {
	dst = binary.AppendUvarint(dst, queue)
	last := uint64(0)
	for _, r := range returns {
		dst = binary.AppendVarint(dst, int64(r.ID-last))
		dst = binary.AppendUvarint(dst, uint64(r.Count))
		last = r.ID
	}
	return dst
}

// parseReturned calls returned with each of the meta's messages.
func parseReturned(b []byte, returned func(place, uint16)) bool {
	d := decoder{b: b}
	queue, id := d.uvarint(), uint64(0)
	for !d.bad && len(d.b) > 0 {
		id += uint64(d.varint())
		count := d.uvarint()
		if d.bad || id > maxID || count > 1<<16-1 {
			return false
		}
		returned(place{queue, id}, uint16(count))
	}
	return !d.bad
}
