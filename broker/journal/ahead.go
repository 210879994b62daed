package journal

import (
	"sync"

	"thump/internal/record"
)

// aheadSize is how much is read at once for a run of reads, aheadRuns how many
// runs are known at a time.
const (
	aheadSize = 128 << 10
	aheadRuns = 8
)

// ahead reads ahead for whom reads messages in the order in which they are on disk, as a long
// queue does that is drained. Several queues may share what was read.
type ahead struct {
	mu     sync.Mutex
	runs   [aheadRuns]run // guarded by mu
	oldest int            // guarded by mu: the run that gives way to the next
}

// A run is a sequence of reads in one segment, each a little behind the one before.
type run struct {
	seg   *segment
	off   int64  // of block
	block []byte // bytes of the file, which never change there; nil: a run of one so far
	end   int64  // of the last record that was read
}

// read returns the record at off of a segment, which ends at limit or before, checked. All
// up to written is in the file.
func (a *ahead) read(s *segment, off, limit, written int64) (record.Record, []byte, error) {
	b, next := a.look(s, off, limit)
	if b != nil {
		return record.Parse(b, s.seed)
	}
	if !next || limit-off > aheadSize/2 {
		return s.read(off, limit)
	}
	block, err := s.readBytes(off, min(off+aheadSize, written))
	if err != nil { // perhaps not where this record is
		return s.read(off, limit)
	}
	a.keep(run{seg: s, off: off, block: block, end: limit})
	return record.Parse(block[:limit-off:limit-off], s.seed)
}

// look returns a record that was read ahead; else next tells whether it is the next one of a run.
func (a *ahead) look(s *segment, off, limit int64) (b []byte, next bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range a.runs {
		r := &a.runs[i]
		if r.seg != s {
			continue
		}
		if r.off <= off && limit <= r.off+int64(len(r.block)) {
			r.end = limit
			return r.block[off-r.off : limit-r.off : limit-r.off], false
		}
		if r.end <= off && off-r.end < aheadSize {
			r.end = limit
			next = true
		}
	}
	if !next {
		a.runs[a.oldest] = run{seg: s, end: limit}
		a.oldest = (a.oldest + 1) % aheadRuns
	}
	return nil, next
}

// keep gives a block to its run, unless the run has given way meanwhile.
func (a *ahead) keep(block run) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range a.runs {
		if r := &a.runs[i]; r.seg == block.seg && r.end == block.end {
			*r = block
			return
		}
	}
}
