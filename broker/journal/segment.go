package journal

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"thump/internal/record"
	"thump/internal/vfs"
)

// allocation is how far ahead of what is written a segment's space is reserved: writes
// within it change no metadata of the file, and little disk is taken for a small log.
const allocation = 4 << 20

// firstRead is how much is read of a record before its size is known.
const firstRead = 64 << 10

// errRemoved says that a segment was removed after its place was looked up.
var errRemoved = errors.New("segment was removed")

// A segment is one file of the log.
type segment struct {
	// static after construction
	segmentID
	lenBefore int64 // length of the segment before it

	// guarded by Journal.mu
	size    int64           // end of what was appended
	written int64           // end of what is in the file; what is behind it is in memory
	sealed  bool            // nothing is appended any more
	records int             // messages alive in it
	live    int64           // their bytes
	dones   int64           // bytes of its done records
	doneIDs int             // their ids
	refs    map[uint32]int  // of these, by the older segment that holds a message they killed
	notes   int             // newest records of how often a message was put back
	shadows map[uint32]bool // older segments of whose messages it has newer copies
	dull    int             // looks in a row at which little was alive in it
	copied  uint64          // number of the batch with the last copies that compaction made from it
	broken  bool            // cannot be read, so it is not compacted

	// owned by the syncer (by Open before it starts)
	before    *segment // to be closed off before this one is made
	allocated int64    // space reserved up to here
	synced    int64    // on stable storage up to here
	closedOff bool     // truncated to size and synced

	fileMu sync.RWMutex // held for writing by who opens and closes, for reading by who uses
	file   vfs.File     // nil: not made yet, or removed
}

func newSegment(id segmentID) *segment {
	return &segment{segmentID: id, refs: map[uint32]int{}, shadows: map[uint32]bool{}}
}

func (s *segment) setFile(f vfs.File) {
	s.fileMu.Lock()
	defer s.fileMu.Unlock()
	s.file = f
}

// closeFile waits for those who read.
func (s *segment) closeFile() error {
	s.fileMu.Lock()
	defer s.fileMu.Unlock()
	f := s.file
	if s.file = nil; f == nil {
		return nil
	}
	return f.Close()
}

// write puts bytes at an offset, where space is reserved first if it is not yet. That is only
// an optimization: it may fail, and the write tells.
func (s *segment) write(b []byte, off, limit int64) error {
	end := off + int64(len(b))
	if end > s.allocated {
		s.allocated = max(end, min(end+allocation, limit))
		if err := s.file.Allocate(s.allocated); err != nil {
			s.allocated = end
		}
	}
	if _, err := s.file.WriteAt(b, off); err != nil {
		return fmt.Errorf("write journal segment: %w", err)
	}
	return nil
}

// cut gives back the space behind off, so that nothing of a failed write stays.
func (s *segment) cut(off int64) error {
	s.allocated = off
	return s.file.Truncate(off)
}

// sync makes what was written, which ends at end, durable.
func (s *segment) sync(end int64) error {
	if err := s.file.Sync(); err != nil {
		return fmt.Errorf("%w: segment %s: %w", errSync, s.name(), err)
	}
	s.synced = end
	return nil
}

// closeOff ends the segment on disk.
func (s *segment) closeOff(size int64, sync bool) error {
	if s.closedOff || s.file == nil {
		return nil
	}
	if err := s.cut(size); err != nil {
		return fmt.Errorf("end journal segment: %w", err)
	}
	if sync {
		if err := s.sync(size); err != nil {
			return err
		}
	}
	s.closedOff = true
	return nil
}

// closeWhole ends the segment on disk with a mark: all before it is durable.
func (s *segment) closeWhole(sync bool) error {
	if s.file == nil {
		return nil
	}
	if sync && s.synced < s.size {
		if err := s.sync(s.size); err != nil {
			return err
		}
	}
	if err := s.write(appendMark(nil, s.seed, s.size), s.size, s.size+markSize); err != nil {
		return err
	}
	return s.closeOff(s.size+markSize, sync)
}

// read returns the record at off, which ends at limit or before, checked.
func (s *segment) read(off, limit int64) (record.Record, []byte, error) {
	s.fileMu.RLock()
	defer s.fileMu.RUnlock()
	if s.file == nil {
		return record.Record{}, nil, errRemoved
	}
	b, err := readFull(s.file, off, min(limit-off, firstRead))
	if err != nil {
		return record.Record{}, nil, err
	}
	if size, ok := record.SizeOf(b, s.seed); ok && size > int64(len(b)) && size <= limit-off {
		if b, err = readFull(s.file, off, size); err != nil {
			return record.Record{}, nil, err
		}
	}
	return record.Parse(b, s.seed)
}

// readBytes returns a part of the file.
func (s *segment) readBytes(off, end int64) ([]byte, error) {
	s.fileMu.RLock()
	defer s.fileMu.RUnlock()
	if s.file == nil {
		return nil, errRemoved
	}
	return readFull(s.file, off, end-off)
}

func readFull(r io.ReaderAt, off, n int64) ([]byte, error) {
	b := make([]byte, max(n, 0))
	if got, err := r.ReadAt(b, off); got < len(b) {
		return nil, fmt.Errorf("read journal segment: %w", err)
	}
	return b, nil
}
