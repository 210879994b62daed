package journal

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"
)

func (j *Journal) recover() error {
	ids, err := j.list()
	if err != nil || len(ids) == 0 {
		return err
	}
	scans := make([]*scan, len(ids))
	var workers errgroup.Group
	workers.SetLimit(runtime.GOMAXPROCS(0))
	for i := range ids {
		workers.Go(func() (err error) {
			scans[i], err = j.scanSegment(ids[i], i == len(ids)-1)
			return err
		})
	}
	err = workers.Wait()
	for _, r := range scans {
		if r != nil {
			j.segments = append(j.segments, r.seg)
		}
	}
	if err != nil {
		return err
	}
	if err := j.o.FS.SyncDir(j.dir); err != nil { // the newest name may have been in memory only
		return err
	}
	j.newest = ids[len(ids)-1].seq
	j.report(scans)
	j.merge(scans)
	return nil
}

// list returns the segments in the folder, in order.
func (j *Journal) list() (ids []segmentID, err error) {
	names, err := j.o.FS.ReadDir(j.dir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if id, ok := parseName(name); ok {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b segmentID) int { return cmp.Compare(a.seq, b.seq) })
	for i := 1; i < len(ids); i++ {
		if ids[i].seq == ids[i-1].seq {
			return nil, fmt.Errorf("two segments have the number %d: %s and %s", ids[i].seq, ids[i-1].name(), ids[i].name())
		}
	}
	return ids, nil
}

// merge makes one index of what the segments hold.
func (j *Journal) merge(scans []*scan) {
	var moved []copied
	for _, r := range scans {
		j.nextID = max(j.nextID, r.seg.base, r.maxID+1)
		end := uint64(0)
		if n := len(j.spans); n > 0 {
			end = j.spans[n-1].base + uint64(j.spans[n-1].len())
		}
		switch {
		case r.span.len() == 0:
		case r.span.base >= end:
			j.spans = append(j.spans, r.span)
		default: // not a segment that this journal wrote, but every record counts
			r.demote()
		}
		moved = append(moved, r.moved...)
	}
	j.mergeMoved(moved)
	for _, r := range scans {
		j.bringDone(r)
	}
	counts := j.dropUnknown()
	for _, r := range scans {
		j.bringReturned(r)
	}
	j.handOut(counts)
}

// demote turns the span's entries into copied ones.
func (r *scan) demote() {
	s := r.span
	for i := range s.off {
		r.moved = append(r.moved, copied{
			id: s.id(i), seq: r.seg.seq, off: s.off[i], size: uint32(s.sizeOf(i)),
			messageSize: s.messageSizes[i], from: r, set: r.sets.intern(s.appendQueues(nil, i)),
		})
	}
	r.span = nil
}

// mergeMoved adds the copies that compaction made. Where compaction was interrupted there
// is more than one record of a message: the newest one counts.
func (j *Journal) mergeMoved(moved []copied) {
	slices.SortStableFunc(moved, func(a, b copied) int {
		return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.seq, b.seq))
	})
	dense, gaps := j.spans, spans(nil)
	for k, c := range moved {
		if k+1 < len(moved) && moved[k+1].id == c.id {
			j.shadow(moved[k+1].seq, c.seq)
			continue
		}
		if s, i := dense.find(c.id); s != nil {
			j.override(s, i, c)
			continue
		}
		gaps = addToGap(gaps, dense, c)
	}
	j.spans = append(slices.Clone(dense), gaps...)
	slices.SortFunc(j.spans, func(a, b *span) int { return cmp.Compare(a.base, b.base) })
}

// shadow notes that one segment has a newer copy of a message than another.
func (j *Journal) shadow(newer, older uint32) {
	if newer != older {
		j.segment(newer).shadows[older] = true
	}
}

// override replaces an entry of a dense span by a copy, if that is newer.
func (j *Journal) override(s *span, i int, c copied) {
	if s.seqOf(i) > c.seq {
		j.shadow(s.seqOf(i), c.seq)
		return
	}
	s.spread()
	j.shadow(c.seq, s.seqOf(i))
	s.move(i, c.seq, c.off, c.size)
	s.setQueues(i, c.from.sets.get(c.set))
	s.messageSizes[i] = c.messageSize
}

// addToGap adds a copy whose id no dense span covers to the last of the spans between them.
func addToGap(gaps, dense spans, c copied) spans {
	n := len(gaps)
	apart := n == 0 || c.id-gaps[n-1].base > 1<<32-1 || slices.ContainsFunc(dense, func(s *span) bool {
		return gaps[n-1].base < s.base && s.base < c.id
	})
	if apart {
		gaps = append(gaps, &span{base: c.id, ids: []uint32{}, at: []uint32{}, size: []uint32{}})
		n++
	}
	s := gaps[n-1]
	s.put(c.id, c.from.sets.get(c.set), c.seq, c.off, c.size)
	s.messageSizes = append(s.messageSizes, c.messageSize)
	return gaps
}

// bringDone takes messages out of the queues that a segment's done records name. A
// copy made after the done record is without that queue.
func (j *Journal) bringDone(r *scan) {
	r.eachDone(func(queue, id uint64) {
		s, i := j.spans.find(id)
		if s == nil || s.seqOf(i) > r.seg.seq {
			return
		}
		s.clear(i, queue)
		if at := s.seqOf(i); at < r.seg.seq {
			r.seg.refs[at]++
		}
	})
}

// bringReturned takes over how often messages were put back. Counts only grow: the highest is the newest.
func (j *Journal) bringReturned(r *scan) {
	eachMeta(r.returns, func(meta []byte) {
		parseReturned(meta, func(p place, count uint16) {
			s, i := j.spans.find(p.id)
			if s != nil && s.holds(i, p.queue) && count >= j.notes[p].count {
				j.setNote(p, note{count, r.seg.seq})
			}
		})
	})
}

// handOut counts what is alive, and lists it by queue.
func (j *Journal) handOut(counts map[uint64]int) {
	j.recovered = make(map[uint64][]Entry, len(counts))
	for queue, n := range counts {
		j.recovered[queue] = make([]Entry, 0, n)
	}
	var queues []uint64
	for _, s := range j.spans {
		for i := range s.off {
			if !s.alive(i) {
				continue
			}
			seg := j.segment(s.seqOf(i))
			seg.records++
			seg.live += s.sizeOf(i)
			queues = s.appendQueues(queues[:0], i)
			for _, q := range queues {
				j.recovered[q] = append(j.recovered[q], Entry{s.id(i), s.messageSizes[i], j.notes[place{q, s.id(i)}].count})
			}
		}
		s.messageSizes = nil
	}
}

// dropUnknown takes messages out of queues that are gone, and returns how many each of the others has.
func (j *Journal) dropUnknown() map[uint64]int {
	counts, known := map[uint64]int{}, map[uint64]bool{}
	var queues []uint64
	for _, s := range j.spans {
		for i := range s.off {
			queues = s.appendQueues(queues[:0], i)
			for _, q := range queues {
				if _, asked := known[q]; !asked {
					known[q] = j.o.Known(q)
				}
				if known[q] {
					counts[q]++
				} else {
					s.clear(i, q)
				}
			}
		}
	}
	return counts
}
