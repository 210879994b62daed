package journal

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"thump/internal/vfs"
)

// doneDelay is how long done records alone wait for a message to ride with.
const doneDelay = 50 * time.Millisecond

// idleBuffer is the memory of a batch that is kept for the next one when there is none yet.
const idleBuffer = 2 << 20

// sync is the syncer: it makes durable what was appended, a batch at a time.
func (j *Journal) sync() {
	defer close(j.syncer)
	var idle <-chan time.Time // set while only done records wait
	for {
		select {
		case <-j.quit:
			j.flush()
			j.end()
			return
		case <-j.wake:
			if !j.urgent() {
				if idle == nil {
					idle = time.After(doneDelay)
				}
				continue
			}
		case <-idle:
		}
		idle = nil
		j.flush()
	}
}

func (j *Journal) urgent() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.filling.urgent
}

// flush stores the filling batch. While the disk is full it tries again and again, until the journal is
// closed.
func (j *Journal) flush() {
	if !j.take() {
		return
	}
	for {
		start := time.Now()
		err := j.store(&j.flushing)
		if !isFull(err) {
			j.finish(err, time.Since(start))
			return
		}
		full := j.setFull(err)
		select {
		case <-j.quit:
			j.finish(full, 0)
			return
		case <-time.After(j.o.RetryEvery):
		}
	}
}

// take makes the filling batch the one that is flushed.
func (j *Journal) take() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.filling.chunks) == 0 || j.failed != nil {
		return false
	}
	number := j.filling.number
	j.flushing, j.filling = j.filling, j.flushing
	j.filling.reset(number+1, j.o.MaxPending)
	j.changed.Broadcast() // there is room
	return true
}

// store writes the batch and syncs it. It may be called again after it failed because the disk
// is full: it then writes the same bytes to the same places.
func (j *Journal) store(b *batch) error {
	for i := range b.chunks {
		c := &b.chunks[i]
		if c.off == 0 {
			if err := j.create(c.seg); err != nil {
				return err
			}
		}
		c.setMark(c.seg.synced)
		if err := c.seg.write(c.data, c.off, j.o.SegmentSize); err != nil {
			if isFull(err) {
				err = errors.Join(err, c.seg.cut(c.off))
			}
			return err
		}
	}
	last := &b.chunks[len(b.chunks)-1]
	if !b.urgent || j.o.NoSync {
		return nil
	}
	return last.seg.sync(last.end())
}

// create makes a segment's file, after the segment before it is whole on stable storage: so
// only the newest segment can have a torn end.
func (j *Journal) create(s *segment) error {
	if s.before != nil {
		if err := s.before.closeOff(s.lenBefore, !j.o.NoSync); err != nil {
			return err
		}
	}
	if s.file == nil {
		f, err := j.o.FS.Create(filepath.Join(j.dir, s.name()))
		if err != nil {
			return fmt.Errorf("make journal segment: %w", err)
		}
		s.setFile(f)
	}
	s.before = nil
	if j.o.NoSync {
		return nil
	}
	if err := j.o.FS.SyncDir(j.dir); err != nil {
		return fmt.Errorf("%w: folder: %w", errSync, err)
	}
	return nil
}

// errSync marks errors of syncing, after which the data must not be trusted to a second sync.
var errSync = errors.New("sync journal")

// isFull tells whether a write failed for lack of space, and can be tried again.
func isFull(err error) bool { return vfs.IsFull(err) && !errors.Is(err, errSync) }

// setFull has Append refuse until a batch is stored.
func (j *Journal) setFull(cause error) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.full == nil {
		j.o.Logger.Error("journal's disk is full, publishing is refused", "dir", j.dir, "err", cause)
	}
	j.full = fmt.Errorf("%w: %w", ErrDiskFull, cause)
	j.changed.Broadcast()
	return j.full
}

// finish takes note of how the batch was stored, and only then tells those who wait for it.
func (j *Journal) finish(err error, took time.Duration) {
	j.mu.Lock()
	if err != nil {
		j.fail(err)
	} else {
		j.settle(took)
	}
	j.mu.Unlock()
	j.tell()
}

// fail ends the journal's promises: what is in memory stays readable, nothing more is written.
func (j *Journal) fail(cause error) {
	j.failed = cause
	if !errors.Is(cause, ErrDiskFull) {
		j.failed = fmt.Errorf("%w: %w", ErrFailed, cause)
	}
	j.o.Logger.Error("journal failed, nothing is confirmed any more", "dir", j.dir, "err", cause)
}

func (j *Journal) settle(took time.Duration) {
	b := &j.flushing
	for i := range b.chunks {
		c := &b.chunks[i]
		c.seg.written = c.end()
		if c.seg.seq > j.newest {
			j.newest = c.seg.seq
			signal(j.died) // what is older may be removed now
		}
	}
	if b.last > 0 {
		j.durable.Store(b.last)
	}
	if b.urgent {
		j.stats.Syncs++
		j.stats.SyncTime += took
	}
	if j.full != nil {
		j.o.Logger.Info("journal's disk has space again", "dir", j.dir)
	}
	j.full = nil
	j.stored = b.number
	keep := j.o.MaxPending
	if len(j.filling.chunks) == 0 {
		keep = min(keep, idleBuffer)
	}
	b.reset(0, keep)
}

// end closes the head off: a mark at its very end says that it is whole.
func (j *Journal) end() {
	j.mu.Lock()
	head, failed := j.head, j.failed
	j.mu.Unlock()
	var err error
	if failed == nil && head != nil {
		err = head.closeWhole(!j.o.NoSync)
	}
	j.mu.Lock()
	j.ended = true
	if err != nil {
		j.fail(err)
	}
	j.mu.Unlock()
	j.tell()
}
