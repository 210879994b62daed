package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"

	"thump/internal/bus"
	"thump/internal/vfs"
)

// Limits of Options.MaxBytes.
const (
	MinBytes = 1 << 20
	MaxBytes = 64 << 30
)

// segments is how many segments a full spool has, so how much of it is dropped
// at a time.
const segments = 64

// Options of a spool.
type Options struct {
	FS       vfs.FS
	MaxBytes int64 // of all segments together; the oldest is dropped first
	Logger   *slog.Logger
}

// Ref names a batch in the spool.
type Ref struct {
	segment uint64 // 0: in memory
	offset  int64
}

// Stats is what a spool holds.
type Stats struct {
	Bytes   int64  // on disk
	Batches int    // not done
	Waiting int    // of them, those that nobody has taken
	Dropped uint64 // since Open, without having been delivered
}

// Spool keeps batches until they are done. Its methods may be called from any
// goroutine; while one of them writes or syncs, the others wait.
type Spool struct {
	// Static after construction.
	dir         string
	fs          vfs.FS
	log         *slog.Logger
	maxBytes    int64
	segmentSize int64
	lock        io.Closer
	wake        chan struct{} // see Waiting
	appended    chan struct{} // see Unsynced

	mu       sync.Mutex // guards all below
	segments []*segment // oldest first; the last is appended to
	memory   memory
	bytes    int64 // of all segments
	last     uint64
	dropped  uint64
	unsynced bool
	failing  bool // the disk did not take the last batch
	meta     []byte
	buf      []byte
}

// Open opens the spool in dir, alone: a second Open fails with *vfs.LockedError.
func Open(dir string, o Options) (*Spool, error) {
	if o.MaxBytes < MinBytes || o.MaxBytes > MaxBytes {
		return nil, fmt.Errorf("spool of %d bytes: want %d to %d", o.MaxBytes, MinBytes, MaxBytes)
	}
	if err := o.FS.MkdirAll(dir); err != nil {
		return nil, fmt.Errorf("make spool folder: %w", err)
	}
	lock, err := o.FS.Lock(dir)
	if err != nil {
		return nil, err
	}
	s := &Spool{
		dir: dir, fs: o.FS, log: o.Logger, lock: lock,
		maxBytes: o.MaxBytes, segmentSize: o.MaxBytes / segments,
		wake: make(chan struct{}, 1), appended: make(chan struct{}, 1),
	}
	if err := s.recover(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Append keeps a batch, which counts as taken. It does not fail: what the disk
// does not take is kept in memory, and dropped when that is full.
func (s *Spool) Append(m *bus.Message) Ref {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.meta = appendProperties(s.meta[:0], m)
	g, offset, err := s.write(kindBatch, s.meta, m.Body)
	s.noteFailure(err)
	if err != nil {
		ref, dropped := s.memory.add(m)
		s.drop(dropped)
		return ref
	}
	g.entries = append(g.entries, entry{offset: uint32(offset), size: uint32(g.size - offset), state: taken})
	g.live++
	signal(s.appended)
	return Ref{g.number, offset}
}

// find returns the segment and the place in it of a batch, or nil if it is gone.
func (s *Spool) find(r Ref) (*segment, int) {
	if len(s.segments) == 0 {
		return nil, 0
	}
	for _, g := range s.segments {
		if g.number == r.segment {
			if i, ok := g.find(r.offset); ok {
				return g, i
			}
		}
	}
	return nil, 0
}

// Next takes the oldest batch that waits.
func (s *Spool) Next() (Ref, *bus.Message, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.segments {
		for g.waiting > 0 {
			i := g.next()
			m, err := g.read(g.entries[i])
			if err == nil {
				g.set(i, taken)
				return Ref{g.number, int64(g.entries[i].offset)}, m, true
			}
			s.log.Error("spooled batch cannot be read, dropped", "segment", g.path, "offset", g.entries[i].offset, "err", err)
			g.set(i, done)
			s.drop(1)
		}
	}
	return s.memory.next()
}

// Release gives back a batch that was taken and not delivered.
func (s *Spool) Release(r Ref) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.segment == 0 {
		s.drop(s.memory.release(r))
	} else if g, i := s.find(r); g != nil {
		g.set(i, waiting)
	} else { // its segment was dropped meanwhile
		s.drop(1)
	}
	signal(s.wake)
}

// Done forgets a batch that was delivered.
func (s *Spool) Done(r Ref) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.segment == 0 {
		s.memory.done(r)
		return
	}
	g, i := s.find(r)
	if g == nil || g.entries[i].state == done {
		return
	}
	g.set(i, done)
	s.meta = appendDone(s.meta[:0], r)
	if _, _, err := s.write(kindDone, s.meta, nil); err != nil {
		s.log.Debug("done mark not written: the batch is published again after a restart", "err", err)
	}
	s.reclaim()
}

func appendDone(b []byte, r Ref) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, r.segment), uint64(r.offset))
}

func parseDone(b []byte) (Ref, bool) {
	p := parser{rest: b}
	r := Ref{segment: p.uvarint(), offset: int64(p.uvarint())}
	return r, !p.failed
}

// Waiting has a value whenever batches may have begun to wait.
func (s *Spool) Waiting() <-chan struct{} { return s.wake }

// Unsynced has a value whenever a batch was appended, so that Sync is called only
// when it is of use: a while later, when most batches are done.
func (s *Spool) Unsynced() <-chan struct{} { return s.appended }

func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Sync makes the batches that are not done safe from a power cut.
func (s *Spool) Sync() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stats().Batches == 0 {
		return nil
	}
	return s.sync()
}

// sync syncs the last segment; those before it were synced when it was begun.
func (s *Spool) sync() error {
	if !s.unsynced || len(s.segments) == 0 {
		return nil
	}
	s.unsynced = false
	g := s.segments[len(s.segments)-1]
	if err := g.file.Sync(); err != nil {
		g.sealed = true // a second try would prove nothing, see vfs.File
		return fmt.Errorf("sync spool segment: %w", err)
	}
	return nil
}

// Stats tells what the spool holds.
func (s *Spool) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats()
}

func (s *Spool) stats() Stats {
	st := Stats{Bytes: s.bytes, Batches: len(s.memory.batches), Waiting: s.memory.waiting(), Dropped: s.dropped}
	for _, g := range s.segments {
		st.Batches += g.live
		st.Waiting += g.waiting
	}
	return st
}

// Close syncs and closes the files. The spool must not be used afterwards.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	errs := []error{s.sync()}
	for _, g := range s.segments {
		errs = append(errs, g.file.Close())
	}
	s.segments = nil
	return errors.Join(append(errs, s.lock.Close())...)
}
