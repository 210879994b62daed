package rollup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
)

// A source gives series in the order of their labels, each with its windows of
// one width.
type source interface {
	// symbols are all names and values of labels.
	symbols(ctx context.Context) ([]string, error)
	next() bool
	labels() labels.Labels
	windows() ([]Window, error)
	err() error
	close() error
}

// everything matches every series.
var everything = labels.MustNewMatcher(labels.MatchRegexp, model.MetricNameLabel, ".*")

// samples is the source of windows of raw samples.
type samples struct {
	querier  storage.Querier
	set      storage.SeriesSet
	width    int64
	iterator chunkenc.Iterator
	found    []Window
}

func openSamples(ctx context.Context, q storage.Querier, width int64) *samples {
	return &samples{querier: q, width: width, set: q.Select(ctx, true, nil, everything)}
}

func (s *samples) symbols(ctx context.Context) ([]string, error) { return symbolsOf(ctx, s.querier) }
func (s *samples) next() bool                                    { return s.set.Next() }
func (s *samples) labels() labels.Labels                         { return s.set.At().Labels() }
func (s *samples) err() error                                    { return s.set.Err() }
func (s *samples) close() error                                  { return s.querier.Close() }

func (s *samples) windows() ([]Window, error) {
	s.iterator = s.set.At().Iterator(s.iterator)
	s.found = s.found[:0]
	var w tally
	finish := func() {
		if w.End != 0 {
			s.found = append(s.found, w.window())
		}
	}
	for typ := s.iterator.Next(); typ != chunkenc.ValNone; typ = s.iterator.Next() {
		if typ != chunkenc.ValFloat {
			continue // history takes no histograms; one that is there all the same has no roll-up
		}
		t, v := s.iterator.At()
		if end := endOf(t, s.width); end != w.End {
			finish()
			w = tally{Window: Window{End: end}}
		}
		w.add(t, v)
	}
	finish()
	return s.found, s.iterator.Err()
}

func symbolsOf(ctx context.Context, q storage.LabelQuerier) ([]string, error) {
	symbols, _, err := q.LabelNames(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("read names of labels: %w", err)
	}
	for _, name := range symbols {
		values, _, err := q.LabelValues(ctx, name, nil)
		if err != nil {
			return nil, fmt.Errorf("read values of label %s: %w", name, err)
		}
		symbols = append(symbols, values...)
	}
	return symbols, nil
}

// narrower is the source of windows made of windows of a narrower width, or of
// the same.
type narrower struct {
	querier  storage.ChunkQuerier
	set      storage.ChunkSeriesSet
	from     int64 // width of what is read
	width    int64
	iterator chunks.Iterator
	chunks   []chunks.Meta
	found    []Window
}

func openNarrower(ctx context.Context, q storage.ChunkQuerier, from, width int64) *narrower {
	return &narrower{querier: q, from: from, width: width, set: q.Select(ctx, true, nil, everything)}
}

func (s *narrower) symbols(ctx context.Context) ([]string, error) { return symbolsOf(ctx, s.querier) }
func (s *narrower) next() bool                                    { return s.set.Next() }
func (s *narrower) labels() labels.Labels                         { return s.set.At().Labels() }
func (s *narrower) err() error                                    { return s.set.Err() }
func (s *narrower) close() error                                  { return s.querier.Close() }

func (s *narrower) windows() ([]Window, error) {
	s.iterator = s.set.At().Iterator(s.iterator)
	s.found, s.chunks = s.found[:0], s.chunks[:0]
	for s.iterator.Next() {
		s.chunks = append(s.chunks, s.iterator.At())
	}
	// Blocks are concatenated in no particular order.
	slices.SortFunc(s.chunks, func(a, b chunks.Meta) int { return cmp.Compare(a.MinTime, b.MinTime) })
	for _, meta := range s.chunks {
		c, ok := meta.Chunk.(*chunk)
		if !ok {
			return nil, fmt.Errorf("%w: not one of ours", errChunk)
		}
		ws, err := c.windows(s.from)
		if err != nil {
			return nil, err
		}
		for i := range ws {
			s.widen(&ws[i])
		}
	}
	return s.found, s.iterator.Err()
}

// widen joins a window to the last one, or begins the next.
func (s *narrower) widen(w *Window) {
	end := endOf(w.End, s.width)
	if n := len(s.found); n > 0 && s.found[n-1].End == end {
		s.found[n-1].join(w)
		return
	}
	s.found = append(s.found, *w)
	s.found[len(s.found)-1].End = end
}

// without leaves out of a source what was deleted: the windows that touch
// [mint, maxt] of the series that match.
type without struct {
	source
	mint, maxt int64
	width      int64
	matchers   []*labels.Matcher
}

func (s *without) windows() ([]Window, error) {
	all, err := s.source.windows()
	if err != nil || !matches(s.labels(), s.matchers) {
		return all, err
	}
	kept := all[:0]
	for _, w := range all {
		if w.End < s.mint || w.End-s.width >= s.maxt {
			kept = append(kept, w)
		}
	}
	return kept, nil
}

func matches(ls labels.Labels, ms []*labels.Matcher) bool {
	for _, m := range ms {
		if !m.Matches(ls.Get(m.Name)) {
			return false
		}
	}
	return true
}

// copyTo writes all of a source to a block. What cannot be read of one series
// is given to unreadable, and left out unless that returns an error.
func copyTo(ctx context.Context, w *blockWriter, s source, width int64, unreadable func(labels.Labels, error) error) error {
	for s.next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		windows, err := s.windows()
		if err != nil {
			if errors.Is(err, context.Canceled) {
				return err
			}
			if err := unreadable(s.labels(), err); err != nil {
				return err
			}
		}
		if len(windows) == 0 {
			continue
		}
		if err := w.add(s.labels(), windows, width); err != nil {
			return err
		}
	}
	return s.err()
}
