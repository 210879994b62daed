package spool

import "thump/internal/record"

// write appends a record to the last segment, in whose place a new one comes
// when it is full. It returns where the record stands.
func (s *Spool) write(kind byte, meta, body []byte) (*segment, int64, error) {
	g, err := s.tail(int64(record.HeadSize + len(meta) + len(body)))
	if err != nil {
		return nil, 0, err
	}
	s.buf = record.Append(s.buf[:0], g.seed, kind, meta, body)
	offset := g.size
	if err := g.append(s.buf); err != nil {
		return nil, 0, err
	}
	s.bytes += int64(len(s.buf))
	s.unsynced = true
	return g, offset, nil
}

// tail returns the segment to which size bytes can be appended.
func (s *Spool) tail(size int64) (*segment, error) {
	for s.bytes+size > s.maxBytes && len(s.segments) > 1 {
		s.dropOldest()
	}
	if n := len(s.segments); n > 0 {
		if g := s.segments[n-1]; !g.sealed && (g.size == headSize || g.size+size <= s.segmentSize) {
			return g, nil
		}
	}
	return s.roll()
}

// roll puts a new segment behind the last one, whose batches are synced first.
func (s *Spool) roll() (*segment, error) {
	if n := len(s.segments); n > 0 && s.segments[n-1].live > 0 {
		if err := s.sync(); err != nil {
			s.log.Warn("spool segment not synced", "err", err) // the new one may fare better
		}
	}
	g, err := createSegment(s.fs, s.dir, s.last+1)
	if err != nil {
		return nil, err
	}
	s.last = g.number
	s.segments = append(s.segments, g)
	s.bytes += g.size
	s.reclaim()
	return g, nil
}

// reclaim removes segments without a batch that is still needed, from the oldest
// on and never the last. One in the middle stays until it is the oldest, because
// its done marks speak of the segments before it.
func (s *Spool) reclaim() {
	for len(s.segments) > 1 && s.segments[0].live == 0 {
		s.removeOldest()
	}
}

func (s *Spool) removeOldest() *segment {
	g := s.segments[0]
	s.segments = s.segments[1:]
	s.bytes -= g.size
	if err := g.remove(s.fs); err != nil {
		s.log.Warn("spool segment not removed", "err", err) // it is read again at the next start, where repetitions do no harm
	}
	return g
}

func (s *Spool) dropOldest() {
	g := s.removeOldest()
	if g.waiting > 0 { // those taken count when they are released
		s.log.Warn("spool is full, oldest batches dropped", "batches", g.waiting, "limit", s.maxBytes)
	}
	s.drop(g.waiting)
	s.reclaim()
}

func (s *Spool) drop(batches int) { s.dropped += uint64(batches) }

// noteFailure logs when the disk begins and when it ceases to fail.
func (s *Spool) noteFailure(err error) {
	switch {
	case err != nil && !s.failing:
		s.log.Error("spool cannot write, keeping the newest batches in memory", "err", err, "limit", memoryBatches)
	case err == nil && s.failing:
		s.log.Info("spool writes again", "dropped", s.dropped)
	}
	s.failing = err != nil
}
