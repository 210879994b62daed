package store

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// Last is the end of a series.
type Last struct {
	Labels labels.Labels
	Time   time.Time     // of the last sample
	Value  float64       // of the last sample
	Step   time.Duration // between the last two; zero if there is but one
}

// Last returns the ends of the series that match, as far as they reach into the
// time from since on.
func (s *Store) Last(ctx context.Context, since time.Time, match ...*labels.Matcher) ([]Last, error) {
	q, err := s.db.Querier(since.UnixMilli(), time.Now().UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("read the store: %w", err)
	}
	defer q.Close()
	var all []Last
	set := q.Select(ctx, false, nil, match...)
	for set.Next() {
		l, err := last(set.At().Iterator(nil))
		if err != nil {
			return nil, fmt.Errorf("read the store: %w", err)
		}
		l.Labels = set.At().Labels()
		if !l.Time.IsZero() {
			all = append(all, l)
		}
	}
	if err := set.Err(); err != nil {
		return nil, fmt.Errorf("read the store: %w", err)
	}
	return all, nil
}

func last(it chunkenc.Iterator) (Last, error) {
	var l Last
	for it.Next() == chunkenc.ValFloat {
		ms, v := it.At()
		if value.IsStaleNaN(v) {
			continue
		}
		t := time.UnixMilli(ms)
		if !l.Time.IsZero() {
			l.Step = t.Sub(l.Time)
		}
		l.Time, l.Value = t, v
	}
	return l, it.Err()
}
