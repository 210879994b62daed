package collector

import (
	"context"
	"regexp"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"thump/collector/history"
)

const (
	// seedWindow is how far back a host is remembered over a restart.
	seedWindow = time.Hour
	// A host's interval is what lay between its last two reports, within these
	// bounds: an agent reports more often just after its start.
	shortestSeed = 15 * time.Second
	longestSeed  = 5 * time.Minute
)

// seed takes the hosts that history knows from the hour before now; of those
// that were silent all the time it looks up when they were last seen. What it
// takes for their interval holds until they report.
func (h *hosts) seed(ctx context.Context, db *history.DB, now time.Time) error {
	var silent []string
	err := eachUp(ctx, db, now.Add(-seedWindow), now, ".+", func(instance, group string, last time.Time, interval time.Duration) {
		if last.IsZero() {
			silent = append(silent, regexp.QuoteMeta(instance))
			return
		}
		h.expect(instance, group, last, interval)
	})
	if err != nil || len(silent) == 0 {
		return err
	}
	return eachUp(ctx, db, time.Unix(0, 0), now, strings.Join(silent, "|"), h.expect)
}

func (h *hosts) expect(name, group string, last time.Time, interval time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if at, ok := h.retired[name]; ok && !last.After(at) {
		return
	}
	h.roster.Seen(name, group, "agent", interval, last)
	h.seeded[name] = true
}

// eachUp visits the series `up` of the instances that match, with the time of
// the last `up 1` between from and to, zero if there is none.
func eachUp(ctx context.Context, db *history.DB, from, to time.Time, instances string, visit func(instance, group string, last time.Time, interval time.Duration)) error {
	q, err := db.Querier(from.UnixMilli(), to.UnixMilli())
	if err != nil {
		return err
	}
	defer q.Close()
	match, err := labels.NewMatcher(labels.MatchRegexp, "instance", instances)
	if err != nil {
		return err
	}
	set := q.Select(ctx, false, nil, match,
		labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, upMetric),
		labels.MustNewMatcher(labels.MatchEqual, "job", upJob))
	for set.Next() {
		s := set.At()
		last, interval := lastUp(s.Iterator(nil))
		visit(s.Labels().Get("instance"), s.Labels().Get("group"), last, interval)
	}
	return set.Err()
}

// lastUp is the time of the last `up 1`, zero if there is none, and how long
// after the one before it came.
func lastUp(it chunkenc.Iterator) (last time.Time, interval time.Duration) {
	var before time.Time
	for it.Next() == chunkenc.ValFloat {
		if t, v := it.At(); v == 1 {
			before, last = last, time.UnixMilli(t)
		}
	}
	if before.IsZero() {
		return last, longestSeed
	}
	return last, min(max(last.Sub(before), shortestSeed), longestSeed)
}
