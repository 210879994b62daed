package rollup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
)

// FromSamples rolls up raw samples, which begin at start, as far as until, behind
// which nothing may come any more. open reads the samples from mint to maxt.
func (s *Shelf) FromSamples(ctx context.Context, start, until int64, open func(mint, maxt int64) (storage.Querier, error)) error {
	return s.climb(ctx, start-1, until, func(from, to int64) (source, error) {
		q, err := open(from+1, to)
		if err != nil {
			return nil, err
		}
		return openSamples(ctx, q, s.width), nil
	})
}

// FromShelf rolls up the windows of a shelf with narrower ones.
func (s *Shelf) FromShelf(ctx context.Context, lower *Shelf) error {
	start, until := lower.Covered()
	return s.climb(ctx, start, max(until, lower.Done()), func(from, to int64) (source, error) {
		q, err := lower.chunkQuerier(from, to)
		if err != nil {
			return nil, err
		}
		return openNarrower(ctx, q, lower.width, s.width), nil
	})
}

// climb writes the blocks that are due, one span after the other.
func (s *Shelf) climb(ctx context.Context, start, until int64, open func(from, to int64) (source, error)) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	if err := s.join(ctx); err != nil {
		return err
	}
	for ctx.Err() == nil {
		from := s.Done()
		if from == 0 {
			from = start - start%s.width
		}
		to := from - from%s.spans[0] + s.spans[0]
		if to > until {
			return nil
		}
		if err := s.step(ctx, from, to, open); err != nil {
			return fmt.Errorf("roll up until %s: %w", time.UnixMilli(to).UTC().Format(time.RFC3339), err)
		}
	}
	return ctx.Err()
}

// step rolls up (from, to].
func (s *Shelf) step(ctx context.Context, from, to int64, open func(from, to int64) (source, error)) error {
	src, err := open(from, to)
	if err != nil {
		return err
	}
	if err := s.write(ctx, src, from, to, nil); err != nil {
		return err
	}
	s.mu.Lock()
	s.done = to
	s.mu.Unlock()
	return s.join(ctx)
}

// join makes one block of those that together cover a longer span. Those of
// which something cannot be read stay apart.
func (s *Shelf) join(ctx context.Context) error {
	for _, span := range s.spans[1:] {
		for _, group := range s.groups(span) {
			from, to := group[0].MinTime-1, group[len(group)-1].MaxTime-1
			q, err := s.chunkQuerier(from, to)
			if err != nil {
				return err
			}
			err = s.write(ctx, openNarrower(ctx, q, s.width, s.width), from, to, group)
			switch {
			case errors.Is(err, errUnreadable):
				s.failed()
				s.log.Error("blocks of roll-ups are not joined", "from", time.UnixMilli(from).UTC(), "until", time.UnixMilli(to).UTC(), "err", err)
			case err != nil:
				return fmt.Errorf("join blocks of roll-ups: %w", err)
			}
		}
	}
	return nil
}

// groups are the blocks that lie in one span, which is complete, for each span
// with more than one.
func (s *Shelf) groups(span int64) (groups [][]tsdb.BlockMeta) {
	done := s.Done()
	var group []tsdb.BlockMeta
	finish := func() {
		if len(group) > 1 && endOf(group[0].MaxTime-1, span) <= done {
			groups = append(groups, group)
		}
		group = nil
	}
	for _, meta := range s.Metas() {
		if len(group) > 0 && endOf(group[0].MaxTime-1, span) != endOf(meta.MaxTime-1, span) {
			finish()
		}
		if meta.MaxTime-meta.MinTime < span {
			group = append(group, meta)
		}
	}
	finish()
	return groups
}

// Check reads every chunk of a block of roll-ups of this width and says what is
// wrong; the number of windows is of the chunks that can be read.
func Check(ctx context.Context, b *tsdb.Block, width time.Duration, wrong func(error)) (windows int, err error) {
	q, err := tsdb.NewBlockChunkQuerier(b, b.MinTime(), b.MaxTime())
	if err != nil {
		return 0, err
	}
	src := openNarrower(ctx, q, width.Milliseconds(), width.Milliseconds())
	defer func() { err = errors.Join(err, src.close()) }()
	for src.next() {
		ws, err := src.windows()
		if err != nil {
			wrong(fmt.Errorf("series %s: %w", src.labels(), err))
		}
		windows += len(ws)
	}
	return windows, src.err()
}
