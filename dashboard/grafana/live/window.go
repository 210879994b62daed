package live

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"

	"thump/internal/bus"
	"thump/internal/formats"
	"thump/internal/telemetry"
)

// Bounds of a window. What is beyond them is left out, and the panel says so.
const (
	maxSeries  = 10_000
	maxSamples = 500_000
	// skew is how far ahead of ours the clock of a host may be; samples beyond it
	// would take the panel into the future.
	skew = time.Minute
)

// window is the recent past of the series that an expression reads. It is owned
// by one stream, and is a storage.Queryable for the engine while that evaluates.
type window struct {
	plan    *plan
	decoder *telemetry.Decoder
	series  map[string]*line // by their labels
	order   []*line          // by the note in the decoder, less firstNote
	samples int
	newest  int64 // Unix milliseconds
	full    bool  // something was left out
}

// line is one series; its samples are in the order of time.
type line struct {
	labels  labels.Labels
	samples chunks.SampleSlice
}

// Notes of the decoder on a series: not looked at yet, not wanted, or where it is
// in the window.
const (
	unknown = iota
	unwanted
	firstNote
)

// remembered is how many series a stream's decoder knows again.
const remembered = 20_000

func newWindow(p *plan) *window {
	return &window{plan: p, decoder: telemetry.NewDecoder(remembered, formats.All()...), series: map[string]*line{}}
}

// take adds what a message brings, and tells whether any of it is wanted.
func (w *window) take(m *bus.Message, now time.Time) (news bool, err error) {
	err = w.decoder.Decode(m, func(r *telemetry.Run) error {
		if r.Note == unknown {
			r.Note = w.note(r.Series())
		}
		if r.Note >= firstNote {
			for _, s := range r.Samples {
				news = w.add(w.order[r.Note-firstNote], s.Time, s.Value, now) || news
			}
		}
		return nil
	})
	return news, err
}

func (w *window) note(s *telemetry.Series) uint64 {
	pairs := make([]string, 0, 2*len(s.Labels))
	for _, l := range s.Labels {
		pairs = append(pairs, l.Name, l.Value)
	}
	ls := labels.FromStrings(pairs...)
	if !w.wants(ls) {
		return unwanted
	}
	n := w.line(ls)
	if n < 0 {
		return unknown
	}
	return uint64(n) + firstNote
}

func (w *window) wants(ls labels.Labels) bool {
	return slices.ContainsFunc(w.plan.selectors, func(ms []*labels.Matcher) bool { return matches(ms, ls) })
}

func matches(ms []*labels.Matcher, ls labels.Labels) bool {
	return !slices.ContainsFunc(ms, func(m *labels.Matcher) bool { return !m.Matches(ls.Get(m.Name)) })
}

// line is the index of a series, or -1 if there is no room for it.
func (w *window) line(ls labels.Labels) int {
	key := string(ls.Bytes(nil))
	if l := w.series[key]; l != nil {
		return slices.Index(w.order, l)
	}
	if len(w.order) >= maxSeries {
		w.full = true
		return -1
	}
	l := &line{labels: ls.Copy()}
	w.series[key], w.order = l, append(w.order, l)
	return len(w.order) - 1
}

// add puts a sample in its place; one that is there already is no news.
func (w *window) add(l *line, at int64, value float64, now time.Time) bool {
	if at > now.Add(skew).UnixMilli() || at < w.newest-w.plan.span.Milliseconds() {
		return false
	}
	if w.samples >= maxSamples {
		w.full = true
		return false
	}
	i, there := slices.BinarySearchFunc(l.samples, at, func(s chunks.Sample, t int64) int { return int(s.T() - t) })
	if there {
		return false
	}
	l.samples = slices.Insert(l.samples, i, chunks.Sample(point{at, value}))
	w.samples++
	w.newest = max(w.newest, at)
	return true
}

// seed adds what history has.
func (w *window) seed(m model.Matrix, now time.Time) {
	for _, s := range m {
		pairs := make([]string, 0, 2*len(s.Metric))
		for k, v := range s.Metric {
			pairs = append(pairs, string(k), string(v))
		}
		if n := w.line(labels.FromStrings(pairs...)); n >= 0 {
			for _, p := range s.Values {
				w.add(w.order[n], int64(p.Timestamp), float64(p.Value), now)
			}
		}
	}
}

// forget drops what no evaluation from now on looks at.
func (w *window) forget() {
	oldest := w.newest - w.plan.span.Milliseconds()
	for _, l := range w.order {
		n := 0
		for n < len(l.samples) && l.samples[n].T() < oldest {
			n++
		}
		l.samples = slices.Delete(l.samples, 0, n)
		w.samples -= n
	}
}

// trouble says what the window leaves out.
func (w *window) trouble() string {
	if !w.full {
		return ""
	}
	return fmt.Sprintf("the expression reads more than %d series or %d samples; the rest is left out: narrow it", maxSeries, maxSamples)
}

// Querier implements storage.Queryable.
func (w *window) Querier(mint, maxt int64) (storage.Querier, error) {
	return &querier{w, mint, maxt}, nil
}

type querier struct {
	*window
	mint, maxt int64
}

// Select implements storage.Querier.
func (q *querier) Select(_ context.Context, _ bool, _ *storage.SelectHints, ms ...*labels.Matcher) storage.SeriesSet {
	var found []storage.Series
	for _, l := range q.order {
		if len(l.samples) > 0 && matches(ms, l.labels) {
			found = append(found, &storage.SeriesEntry{Lset: l.labels, SampleIteratorFn: l.iterator})
		}
	}
	return &set{list: found, at: -1}
}

func (l *line) iterator(chunkenc.Iterator) chunkenc.Iterator {
	return storage.NewListSeriesIterator(l.samples)
}

// LabelValues implements storage.LabelQuerier; no evaluation asks for it.
func (q *querier) LabelValues(context.Context, string, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

// LabelNames implements storage.LabelQuerier; no evaluation asks for it.
func (q *querier) LabelNames(context.Context, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

// Close implements storage.Querier.
func (q *querier) Close() error { return nil }

// set is a storage.SeriesSet of a list.
type set struct {
	list []storage.Series
	at   int
}

func (s *set) Next() bool                        { s.at++; return s.at < len(s.list) }
func (s *set) At() storage.Series                { return s.list[s.at] }
func (s *set) Err() error                        { return nil }
func (s *set) Warnings() annotations.Annotations { return nil }

// point is a sample of the window.
type point struct {
	t int64
	v float64
}

func (p point) T() int64                      { return p.t }
func (p point) ST() int64                     { return 0 }
func (p point) F() float64                    { return p.v }
func (p point) H() *histogram.Histogram       { return nil }
func (p point) FH() *histogram.FloatHistogram { return nil }
func (p point) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (p point) Copy() chunks.Sample           { return p }

// selector is a set of matchers as PromQL writes it.
func selector(ms []*labels.Matcher) string {
	parts := make([]string, len(ms))
	for i, m := range ms {
		parts[i] = m.String()
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// finite tells whether a value can be drawn.
func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
