package journal

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"time"
)

// dullLooks is at how many looks in a row little must be alive in a segment before it is
// compacted: a queue that is being drained kills the rest of it sooner.
const dullLooks = 2

// noteSize is about what a note takes in a record of many, bytes.
const noteSize = 4

// reclaimSpace is the reclaimer: it removes segments as they die, and compacts one at a time.
func (j *Journal) reclaimSpace() {
	defer close(j.reclaim)
	tick := time.NewTicker(j.o.CompactEvery)
	defer tick.Stop()
	for {
		j.removeDead()
		select {
		case <-j.quit:
			return
		case <-j.died:
		case <-tick.C:
			j.compactOne()
		}
	}
}

// removeDead removes every segment that may be removed. One that cannot be is tried again later.
func (j *Journal) removeDead() {
	for {
		s := j.nextDead()
		if s == nil {
			return
		}
		if err := j.remove(s); err != nil {
			j.o.Logger.Error("cannot remove journal segment", "file", s.name(), "err", err)
			return
		}
	}
}

// nextDead returns a segment that the four rules of the package comment let go, and that is
// not the newest on disk.
func (j *Journal) nextDead() *segment {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failed != nil {
		return nil
	}
	for _, s := range j.segments {
		if j.isDead(s) {
			return s
		}
	}
	return nil
}

func (j *Journal) isDead(s *segment) bool {
	return s.records == 0 && len(s.refs) == 0 && s.notes == 0 && len(s.shadows) == 0 &&
		s.sealed && s.seq < j.newest && s.copied <= j.stored
}

// remove removes a segment from the disk, and only when that is durable forgets it: the done
// records that kept its messages dead may then go as well.
func (j *Journal) remove(s *segment) error {
	err := s.closeFile()
	if err == nil {
		err = j.o.FS.Remove(filepath.Join(j.dir, s.name()))
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = j.o.FS.SyncDir(j.dir)
	}
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.forget(s.seq)
	j.stats.Removed++
	return nil
}

// forget takes a segment that is gone out of the index.
func (j *Journal) forget(seq uint32) {
	j.segments = slices.DeleteFunc(j.segments, func(s *segment) bool { return s.seq == seq })
	for _, s := range j.segments {
		delete(s.refs, seq)
		delete(s.shadows, seq)
	}
	kept := j.spans[:0]
	for _, s := range j.spans {
		if s = s.without(seq); s != nil {
			kept = append(kept, s)
		}
	}
	clear(j.spans[len(kept):])
	j.spans = kept
}

// compactOne compacts the segment that gains most, if one has been dull for long enough.
func (j *Journal) compactOne() {
	s := j.dullest()
	if s == nil {
		return
	}
	switch err := j.compact(s); {
	case err == nil:
	case errors.Is(err, ErrDiskFull), errors.Is(err, ErrClosed), errors.Is(err, ErrFailed):
		// the rest of it is copied another time
	default:
		s.broken = true // owned by this goroutine
		j.o.Logger.Error("cannot compact journal segment", "file", s.name(), "err", err)
	}
}

// dullest returns the segment to compact next. One without a live message comes first: its done records
// cost little, and it may be all that holds the segments after it, whose done records name its messages.
func (j *Journal) dullest() *segment {
	j.mu.Lock()
	defer j.mu.Unlock()
	var worst *segment
	for _, s := range j.segments {
		if !j.isDull(s) {
			s.dull = 0
			continue
		}
		if s.records == 0 {
			return s
		}
		s.dull++
		if s.dull >= dullLooks && (worst == nil || s.needed()*worst.size < worst.needed()*s.size) {
			worst = s
		}
	}
	return worst
}

// isDull tells whether little of a segment is needed, but too much to remove it.
func (j *Journal) isDull(s *segment) bool {
	return s.sealed && s.seq < j.newest && !s.broken && len(s.shadows) == 0 &&
		s.records+len(s.refs)+s.notes > 0 && 2*s.needed() < s.size
}

// needed returns about how many bytes of the segment would be copied.
func (s *segment) needed() int64 {
	n := s.live + noteSize*int64(s.notes)
	if s.doneIDs > 0 {
		refs := 0
		for _, r := range s.refs {
			refs += r
		}
		n += s.dones * int64(refs) / int64(s.doneIDs)
	}
	return n
}
