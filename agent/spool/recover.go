package spool

import (
	"errors"
	"fmt"
)

// recover reads the segments that are there.
func (s *Spool) recover() error {
	names, err := s.fs.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("read spool folder: %w", err)
	}
	for _, name := range names { // sorted, so oldest first
		number, ok := segmentNumber(name)
		if !ok {
			continue
		}
		if err := s.recoverSegment(number); err != nil {
			return err
		}
	}
	s.reclaim()
	if n := s.stats().Waiting; n > 0 {
		s.log.Info("spool opened with a backlog", "batches", n, "bytes", s.bytes)
		signal(s.wake)
	}
	return nil
}

func (s *Spool) recoverSegment(number uint64) error {
	var marks []Ref // may concern this segment itself
	g, damage, err := openSegment(s.fs, s.dir, number, func(r Ref) { marks = append(marks, r) })
	s.last = number
	if errors.Is(err, errHead) { // its creation was not finished, so it never held a batch
		s.log.Warn("removing a file that is no spool segment", "err", err)
		return s.fs.Remove(segmentPath(s.dir, number))
	}
	if err != nil {
		return err
	}
	for _, d := range damage {
		s.log.Warn("spool segment is damaged", "segment", g.path, "from", d.From, "to", d.To)
	}
	s.segments = append(s.segments, g)
	s.bytes += g.size
	for _, r := range marks {
		if g, i := s.find(r); g != nil {
			g.set(i, done)
		}
	}
	return nil
}
