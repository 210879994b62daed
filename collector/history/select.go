package history

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/util/annotations"

	"thump/collector/history/rollup"
)

// RollupLabel is a label by which a selector says what it wants of roll-ups:
// last, min, max, sum or count. No series has it.
const RollupLabel = "__rollup__"

var columnNames = map[string]rollup.Column{
	"last": rollup.Last, "min": rollup.Min, "max": rollup.Max, "sum": rollup.Sum, "count": rollup.Count,
}

// querier answers from raw samples and roll-ups. It keeps its generation open
// until it is closed.
type querier struct {
	db         *DB
	generation *generation
	mint, maxt int64
	release    func()

	mu     sync.Mutex
	opened []storage.Querier // guarded by mu
}

// Querier implements storage.Queryable.
func (db *DB) Querier(mint, maxt int64) (storage.Querier, error) {
	g, err := db.acquire()
	if err != nil {
		return nil, err
	}
	return &querier{db: db, generation: g, mint: mint, maxt: maxt, release: sync.OnceFunc(g.release)}, nil
}

// Select implements storage.Querier.
func (q *querier) Select(ctx context.Context, sorted bool, h *storage.SelectHints, ms ...*labels.Matcher) storage.SeriesSet {
	ms, named, asked := cutColumn(ms)
	tiers := q.db.tiers(q.generation)
	wanted, exact := wish(h, tiers)
	column := columnFor(h, exact && wanted > 0)
	if asked {
		column = named
	}
	var parts []storage.SeriesSet
	list := q.within(spans(tiers, wanted))
	for _, s := range list {
		part, err := q.open(s, column)
		if err != nil {
			return storage.ErrSeriesSet(err)
		}
		set := part.Select(ctx, sorted || len(list) > 1, s.hints(h), ms...)
		if s.tier == 0 && asked && named == rollup.Count {
			set = onesSet{set}
		}
		parts = append(parts, set)
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return storage.NewMergeSeriesSet(parts, 0, storage.ChainedSeriesMerge)
}

// hints are those for one span: the TSDB reads the time that they say rather than
// that of its querier.
func (s *span) hints(h *storage.SelectHints) *storage.SelectHints {
	if h == nil {
		return nil
	}
	own := *h
	own.Start, own.End = max(h.Start, s.from+1), min(h.End, s.to)
	return &own
}

// within cuts spans to the time of the query.
func (q *querier) within(list []span) (cut []span) {
	for _, s := range list {
		s.from, s.to = max(s.from, q.mint-1), min(s.to, q.maxt)
		if s.from < s.to {
			cut = append(cut, s)
		}
	}
	return cut
}

// open reads a span until the querier is closed.
func (q *querier) open(s span, column rollup.Column) (part storage.Querier, err error) {
	if s.tier == 0 {
		part, err = q.generation.tsdb.Querier(s.from+1, s.to)
	} else {
		part, err = q.db.shelves[s.tier-1].Querier(column, s.from, s.to)
	}
	if err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.opened = append(q.opened, part)
	return part, nil
}

// columnFor is what a query reads of roll-ups. Moments that are not ends of
// windows need samples that are held between them.
func columnFor(h *storage.SelectHints, exact bool) rollup.Column {
	if h == nil {
		return rollup.Last
	}
	if c, ok := columns[h.Func]; ok && h.Range > 0 {
		return c
	}
	if exact || h.Range > 0 {
		return rollup.Last
	}
	return rollup.Held
}

// cutColumn takes the matcher that asks for a column out of others.
func cutColumn(ms []*labels.Matcher) (rest []*labels.Matcher, c rollup.Column, asked bool) {
	i := slices.IndexFunc(ms, func(m *labels.Matcher) bool { return m.Name == RollupLabel && m.Type == labels.MatchEqual })
	if i < 0 {
		return ms, 0, false
	}
	c, asked = columnNames[ms[i].Value]
	if !asked {
		return ms, 0, false // which matches nothing
	}
	return slices.Delete(slices.Clone(ms), i, i+1), c, true
}

// LabelValues implements storage.Querier.
func (q *querier) LabelValues(ctx context.Context, name string, h *storage.LabelHints, ms ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	all, err := q.all()
	if err != nil {
		return nil, nil, err
	}
	return all.LabelValues(ctx, name, h, ms...)
}

// LabelNames implements storage.Querier.
func (q *querier) LabelNames(ctx context.Context, h *storage.LabelHints, ms ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	all, err := q.all()
	if err != nil {
		return nil, nil, err
	}
	return all.LabelNames(ctx, h, ms...)
}

// all reads everything of the query's time.
func (q *querier) all() (storage.Querier, error) {
	var parts []storage.Querier
	for _, s := range q.within(spans(q.db.tiers(q.generation), 0)) {
		part, err := q.open(s, rollup.Last)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return storage.NewMergeQuerier(parts, nil, storage.ChainedSeriesMerge), nil
}

// Close implements storage.Querier.
func (q *querier) Close() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	defer q.release()
	var errs []error
	for _, part := range q.opened {
		errs = append(errs, part.Close())
	}
	q.opened = nil
	return errors.Join(errs...)
}

// tiers are what there is, the narrowest first.
func (db *DB) tiers(g *generation) []tier {
	tiers := []tier{{from: g.begins() - 1, to: math.MaxInt64}}
	for _, s := range db.shelves {
		from, to := s.Covered()
		tiers = append(tiers, tier{s.Width(), from, to})
	}
	return tiers
}

// onesSet has 1 in place of each sample: their sum is their number.
type onesSet struct{ storage.SeriesSet }

// At implements storage.SeriesSet.
func (s onesSet) At() storage.Series { return onesSeries{s.SeriesSet.At()} }

type onesSeries struct{ storage.Series }

// Iterator implements storage.Series.
func (s onesSeries) Iterator(it chunkenc.Iterator) chunkenc.Iterator {
	if own, ok := it.(ones); ok {
		it = own.Iterator
	}
	return ones{s.Series.Iterator(it)}
}

type ones struct{ chunkenc.Iterator }

// At implements chunkenc.Iterator.
func (it ones) At() (int64, float64) {
	t, v := it.Iterator.At()
	if value.IsStaleNaN(v) {
		return t, v
	}
	return t, 1
}
