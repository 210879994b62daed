package journal

import "thump/internal/record"

// Done takes messages out of a queue: acked, expired, purged. It is not synced for its own
// sake: after a power cut a message may be in the queue again. Messages that are not in
// the queue are skipped.
func (j *Journal) Done(queue uint64, ids ...uint64) error {
	for len(ids) > 0 {
		n := min(len(ids), doneIDs)
		if err := j.done(queue, ids[:n]); err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}

func (j *Journal) done(queue uint64, ids []uint64) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.refuse(); err != nil && j.full == nil {
		return err
	}
	j.doneIDs, j.doneAt = j.doneIDs[:0], j.doneAt[:0]
	for _, id := range ids {
		if s, i := j.spans.find(id); s != nil && s.clear(i, queue) {
			j.doneIDs = append(j.doneIDs, id)
			j.doneAt = append(j.doneAt, s.seqOf(i))
			j.dropNote(place{queue, id})
			if !s.alive(i) {
				j.bury(s, i)
			}
		}
	}
	if len(j.doneIDs) > 0 {
		j.emitDone(queue, j.doneIDs, j.doneAt)
	}
	return nil
}

// bury counts entry i, which has left its last queue, out of its segment.
func (j *Journal) bury(s *span, i int) {
	seg := j.segment(s.seqOf(i))
	seg.records--
	seg.live -= s.sizeOf(i)
	if seg.records == 0 && seg.sealed {
		signal(j.died)
	}
}

// emitDone appends a done record, and counts it for the segments that hold its messages.
func (j *Journal) emitDone(queue uint64, ids []uint64, at []uint32) {
	if len(j.filling.chunks) == 0 {
		signal(j.wake)
	}
	j.meta = appendDoneMeta(j.meta[:0], queue, ids)
	j.emit(kindDone, j.meta, 0, 0)
	j.head.dones += int64(record.HeadSize + len(j.meta))
	j.head.doneIDs += len(ids)
	for _, seq := range at {
		if seq != j.head.seq {
			j.head.refs[seq]++
		}
	}
}
