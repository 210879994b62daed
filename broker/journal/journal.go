package journal

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	"thump/internal/record"
)

// Errors of the journal's methods.
var (
	// ErrFailed says that the disk failed: nothing appended since the last confirmed
	// message will ever be durable. Only a new Open helps.
	ErrFailed = errors.New("journal failed")
	// ErrDiskFull says that no space is left. What was appended before is kept in memory and
	// written when there is space again; then Append works again.
	ErrDiskFull = errors.New("disk is full")
	// ErrClosed says that the journal was closed.
	ErrClosed = errors.New("journal is closed")
	// ErrNotFound says that no message has the id: it left all its queues, or was lost with a damaged segment.
	ErrNotFound = errors.New("message is not in the journal")
	// ErrDamaged says that a message is not on disk as it was written. It wraps record.ErrDamaged.
	ErrDamaged = fmt.Errorf("message in the journal: %w", record.ErrDamaged)
	// ErrTooLarge says that a message is larger than MaxMessage or goes to too many queues.
	ErrTooLarge = errors.New("message is too large for the journal")
)

// MaxMessage is the largest message, header and body together, in bytes.
const MaxMessage = 512 << 20

// An Entry is a message that a queue had when the journal was opened.
type Entry struct {
	ID       uint64
	Size     uint32 // header and body, in bytes
	Returned uint16 // times that Returned has counted
}

// A Journal is an open journal. Its methods may be called from several goroutines.
type Journal struct {
	// static after construction
	dir     string
	o       Options
	lock    io.Closer
	wake    chan struct{} // to the syncer: there is something to write
	died    chan struct{} // to the reclaimer: a segment may be removed
	quit    chan struct{} // closed by Close
	syncer  chan struct{} // closed when the syncer has ended
	reclaim chan struct{} // closed when the reclaimer has ended

	ahead ahead

	durable atomic.Uint64 // newest id of which all up to it are durable

	mu        sync.Mutex // guards all below; never held during I/O
	changed   *sync.Cond // a batch was stored, the journal failed, is full, has space or was closed
	nextID    uint64
	segments  []*segment // by seq
	head      *segment   // the last of them, nil: the next append makes one
	headSpan  *span      // of head, also in spans
	spans     spans
	filling   batch  // takes what is appended
	flushing  batch  // is being written
	stored    uint64 // number of the last batch that was stored
	newest    uint32 // seq of the newest segment that is on disk
	waiting   []waiting
	recovered map[uint64][]Entry
	notes     map[place]note // of messages that a queue has
	failed    error          // ErrFailed and its cause
	full      error          // ErrDiskFull and its cause
	closed    bool
	ended     bool // the syncer has ended: nothing more becomes durable
	stats     Stats

	meta    []byte   // scratch
	doneIDs []uint64 // scratch
	doneAt  []uint32 // scratch
	returns []Return // scratch
}

// Open opens the journal in a folder, which it makes and locks, and recovers what
// is in it: the torn end of the newest segment is cut off; a damaged segment is copied aside,
// and used as far as it is sound. Both are said in the log.
func Open(dir string, o Options) (*Journal, error) {
	o.setDefaults()
	if err := o.FS.MkdirAll(dir); err != nil {
		return nil, fmt.Errorf("make journal folder: %w", err)
	}
	lock, err := o.FS.Lock(dir)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	j := &Journal{
		dir: dir, o: o, lock: lock,
		wake: make(chan struct{}, 1), died: make(chan struct{}, 1),
		quit: make(chan struct{}), syncer: make(chan struct{}), reclaim: make(chan struct{}),
		nextID: 1,
	}
	j.changed = sync.NewCond(&j.mu)
	j.filling.number = 1
	if err := j.recover(); err != nil {
		for _, s := range j.segments {
			err = errors.Join(err, s.closeFile())
		}
		return nil, errors.Join(fmt.Errorf("recover journal: %w", err), lock.Close())
	}
	j.durable.Store(j.nextID - 1)
	go j.sync()
	go j.reclaimSpace()
	return j, nil
}

// segment returns the segment with a number, nil if it was removed.
func (j *Journal) segment(seq uint32) *segment {
	if j.head != nil && j.head.seq == seq {
		return j.head
	}
	k, ok := slices.BinarySearchFunc(j.segments, seq, func(s *segment, seq uint32) int { return cmp.Compare(s.seq, seq) })
	if !ok {
		return nil
	}
	return j.segments[k]
}

// Durable returns the newest id up to which every message is on stable storage.
func (j *Journal) Durable() uint64 { return j.durable.Load() }

// Recovered returns the messages that a queue had when the journal was opened, by id.
// They are handed out once.
func (j *Journal) Recovered(queue uint64) []Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	entries := j.recovered[queue]
	delete(j.recovered, queue)
	return entries
}

// Close writes what is in memory and ends the journal.
func (j *Journal) Close() error {
	j.mu.Lock()
	closed := j.closed
	j.closed = true
	j.changed.Broadcast()
	j.mu.Unlock()
	if !closed {
		close(j.quit)
	}
	<-j.reclaim
	<-j.syncer
	if closed {
		return nil
	}
	err := j.failed
	for _, s := range j.segments {
		err = errors.Join(err, s.closeFile())
	}
	return errors.Join(err, j.lock.Close())
}
