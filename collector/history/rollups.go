package history

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"

	"thump/collector/history/rollup"
)

// shelfNames are the folders of roll-ups within the folder of history.
var shelfNames = []string{"5m", "1h"}

const (
	// tendInterval is how often upkeep looks whether something is due.
	tendInterval = time.Minute
	// settled is how far behind the newest sample all is in order, if nothing may
	// come late: the TSDB takes samples of a series' own order for an hour.
	settled = 2 * time.Hour
	// patience is how long after its retention a block of samples waits to be
	// rolled up, if that fails all the time.
	patience = 3 * 24 * time.Hour
)

// shelfOptions are those of the shelves: a block of roll-ups begins short, so that
// a kill costs little work, and ends up long, so that its index costs little.
func shelfOptions(i int) rollup.Options {
	const hour, day = time.Hour, 24 * time.Hour
	if i == 0 {
		return rollup.Options{Width: 5 * time.Minute, Spans: []time.Duration{4 * hour, day, 5 * day}}
	}
	return rollup.Options{Width: hour, Spans: []time.Duration{day, 10 * day, 50 * day}}
}

func (db *DB) openShelves() error {
	for i, keep := range []time.Duration{db.cfg.Retention5m.D(), db.cfg.Retention1h.D()} {
		if keep == 0 {
			break
		}
		o := shelfOptions(i)
		o.Logger = db.deps.Logger
		o.SetAside = db.setAside
		o.Unreadable = db.metrics.unreadable.Inc
		s, err := rollup.Open(filepath.Join(db.deps.Dir, shelfNames[i]), o)
		if err != nil {
			return err
		}
		db.shelves = append(db.shelves, s)
	}
	return nil
}

func (db *DB) closeShelves() error {
	var errs []error
	for _, s := range db.shelves {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// tend rolls up what is due until ctx ends.
func (db *DB) tend(ctx context.Context) {
	ticker := time.NewTicker(tendInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := db.RollUp(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, ErrUnavailable) {
			db.deps.Logger.Error("roll-ups are behind, it is tried again", "err", err)
		}
	}
}

// RollUp makes the roll-ups that are due, and removes those beyond retention. It
// goes on in the background without being called.
func (db *DB) RollUp(ctx context.Context) error {
	if len(db.shelves) == 0 {
		return nil
	}
	db.tending.Lock()
	defer db.tending.Unlock()
	if err := db.room(); err != nil {
		return err
	}
	until, err := db.final()
	if err != nil {
		return err
	}
	began := time.Now()
	err = db.climb(ctx, until)
	db.metrics.rollupSeconds.Add(time.Since(began).Seconds())
	if err != nil {
		db.metrics.rollupFailures.Inc()
	}
	return errors.Join(err, db.retain())
}

// climb brings every shelf as far as it can come.
func (db *DB) climb(ctx context.Context, until int64) error {
	g, err := db.acquire()
	if err != nil {
		return err
	}
	defer g.release()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // Restore does not wait for a block
		select {
		case <-g.leaving:
			cancel()
		case <-ctx.Done():
		}
	}()
	raw := func(mint, maxt int64) (storage.Querier, error) { return g.tsdb.Querier(mint, maxt) }
	if err := db.shelves[0].FromSamples(ctx, g.begins(), until, raw); err != nil {
		return fmt.Errorf("roll-ups of %s: %w", shelfNames[0], err)
	}
	for i := 1; i < len(db.shelves); i++ {
		if err := db.shelves[i].FromShelf(ctx, db.shelves[i-1]); err != nil {
			return fmt.Errorf("roll-ups of %s: %w", shelfNames[i], err)
		}
	}
	return nil
}

// final is the time up to which no sample may come any more.
func (db *DB) final() (int64, error) {
	// No appender is open while we hold this, and one that is opened later knows
	// the newest sample that we see: it takes nothing older than we say.
	db.appending.Lock()
	defer db.appending.Unlock()
	g, err := db.acquire()
	if err != nil {
		return 0, err
	}
	defer g.release()
	return g.tsdb.Head().MaxTime() - max(settled, db.cfg.OutOfOrderWindow.D()).Milliseconds() - 1, nil
}

// retain removes the roll-ups that are beyond retention, except what a wider
// shelf still needs.
func (db *DB) retain() error {
	newest, err := db.newest()
	if err != nil {
		return err
	}
	limits := []struct{ keep, size int64 }{
		{db.cfg.Retention5m.D().Milliseconds(), int64(db.cfg.RetentionSize5m)},
		{db.cfg.Retention1h.D().Milliseconds(), int64(db.cfg.RetentionSize1h)},
	}
	var errs []error
	for i, s := range db.shelves {
		needed := newest
		if i+1 < len(db.shelves) {
			needed = db.shelves[i+1].Done()
		}
		errs = append(errs, s.Retain(newest-limits[i].keep, limits[i].size, needed))
	}
	return errors.Join(errs...)
}

// newest is the time of the newest sample.
func (db *DB) newest() (at int64, err error) {
	err = db.use(func(g *generation) error {
		at = g.tsdb.Head().MaxTime()
		return nil
	})
	return at, err
}

// beyondRetention says which blocks of samples the TSDB shall remove: those that
// end before the retention, and the oldest as long as all are too large. One that
// is not rolled up yet stays, but not for ever.
func (db *DB) beyondRetention(blocks []*tsdb.Block) map[ulid.ULID]struct{} {
	var newest, size int64
	for _, b := range blocks {
		newest = max(newest, b.MaxTime())
		size += b.Size()
	}
	keep, limit := db.cfg.Retention.D().Milliseconds(), int64(db.cfg.RetentionSize)
	beyond := map[ulid.ULID]struct{}{}
	for _, b := range byTime(blocks) {
		age := newest - b.MaxTime()
		old := age >= keep || limit > 0 && size > limit
		if b.Meta().Compaction.Deletable || old && (db.rolledUp(b) || age >= keep+patience.Milliseconds()) {
			beyond[b.Meta().ULID] = struct{}{}
			size -= b.Size()
		}
	}
	return beyond
}

// rolledUp tells whether no roll-up needs a block any more.
func (db *DB) rolledUp(b *tsdb.Block) bool {
	return len(db.shelves) == 0 || b.MaxTime()-1 <= db.shelves[0].Done()
}

// metrics of history besides those of the TSDB.
type metrics struct {
	unreadable     prometheus.Counter
	rollupFailures prometheus.Counter
	rollupSeconds  prometheus.Counter
	setAside       *prometheus.CounterVec // by kind
	until          *prometheus.Desc
	bytes          *prometheus.Desc
}

func newMetrics() *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "thump_history_" + name, Help: help})
	}
	return &metrics{
		unreadable:     counter("rollup_series_unreadable_total", "Series of a block left out of roll-ups since their samples could not be read."),
		rollupFailures: counter("rollup_failures_total", "Attempts to roll up that failed and are made again."),
		rollupSeconds:  counter("rollup_seconds_total", "Time spent on roll-ups."),
		setAside: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "thump_history_set_aside_total", Help: "What could not be read and was moved to the folder corrupt, by kind: block, log, meta, tombstones.",
		}, []string{"kind"}),
		until: prometheus.NewDesc("thump_history_rollup_until_seconds", "Time up to which roll-ups are made.", []string{"width"}, nil),
		bytes: prometheus.NewDesc("thump_history_rollup_bytes", "Size of the roll-ups.", []string{"width"}, nil),
	}
}

// collect gives the values of the moment.
func (db *DB) collect(ch chan<- prometheus.Metric) {
	m := db.metrics
	for _, c := range []prometheus.Collector{m.unreadable, m.rollupFailures, m.rollupSeconds, m.setAside} {
		c.Collect(ch)
	}
	for i, s := range db.shelves {
		ch <- prometheus.MustNewConstMetric(m.until, prometheus.GaugeValue, float64(s.Done())/1000, shelfNames[i])
		ch <- prometheus.MustNewConstMetric(m.bytes, prometheus.GaugeValue, float64(s.Size()), shelfNames[i])
	}
}
