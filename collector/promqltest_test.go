package collector_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"os"
	"path"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/storage"

	"thump/collector/history"
	"thump/internal/vfs"
)

// TestBuiltin runs Prometheus's own tests of PromQL on our storage and engine.
// What is experimental in Prometheus is on, as those tests ask. One file is left
// out: start_timestamps.test needs a storage with the times at which counters
// began, which ours, as Prometheus's own by default, does not keep.
func TestBuiltin(t *testing.T) {
	long(t)
	var current atomic.Pointer[history.DB]
	promqltest.RunBuiltinTestsWithStorage(but{t, []string{"start_timestamps.test"}}, engineOf{&current},
		func(t testing.TB) storage.Storage {
			return openStore(t, &current, "promql-experimental-functions", "promql-extended-range-selectors",
				"promql-binop-fill-modifiers", "promql-delayed-name-removal")
		})
}

// TestBuiltinByDefault runs those of them that ask for nothing that is off by
// default.
func TestBuiltinByDefault(t *testing.T) {
	long(t)
	var current atomic.Pointer[history.DB]
	const functions = "promql-experimental-functions"
	ask := map[string]string{ // file: the feature
		"aggregators.test":         functions, // limitk
		"at_modifier.test":         functions, // mad_over_time
		"extended_vectors.test":    "promql-extended-range-selectors",
		"fill-modifier.test":       "promql-binop-fill-modifiers",
		"functions.test":           functions,
		"histograms.test":          functions, // histogram_quantiles
		"info.test":                functions, // info
		"limit.test":               functions, // limitk
		"name_label_dropping.test": "promql-delayed-name-removal",
		"native_histograms.test":   functions,              // histogram_quantiles
		"range_queries.test":       functions,              // sort_by_label
		"start_timestamps.test":    "use-start-timestamps", // as above
		"type_and_unit.test":       "promql-delayed-name-removal",
	}
	promqltest.RunBuiltinTestsWithStorage(but{t, slices.Collect(maps.Keys(ask))}, engineOf{&current},
		func(t testing.TB) storage.Storage { return openStore(t, &current) })
}

func long(t *testing.T) {
	t.Helper()
	if os.Getenv("THUMP_LONG_TESTS") == "" {
		t.Skip("takes half a minute: set THUMP_LONG_TESTS=1")
	}
}

// but runs all files but some.
type but struct {
	*testing.T
	left []string
}

// Run implements promqltest.TBRun.
func (b but) Run(name string, f func(*testing.T)) bool {
	if slices.Contains(b.left, path.Base(name)) {
		return true
	}
	return b.T.Run(name, f)
}

// engineOf is the engine of the history that is open now.
type engineOf struct{ current *atomic.Pointer[history.DB] }

func (e engineOf) NewInstantQuery(ctx context.Context, q storage.Queryable, o promql.QueryOpts, expr string, at time.Time) (promql.Query, error) {
	return e.current.Load().Engine().NewInstantQuery(ctx, q, o, expr, at)
}

func (e engineOf) NewRangeQuery(ctx context.Context, q storage.Queryable, o promql.QueryOpts, expr string, from, to time.Time, step time.Duration) (promql.Query, error) {
	return e.current.Load().Engine().NewRangeQuery(ctx, q, o, expr, from, to, step)
}

// store is history as Prometheus's tests fill it: samples wait for the commit,
// which is when history lends its appender.
type store struct{ *history.DB }

func openStore(t testing.TB, current *atomic.Pointer[history.DB], features ...string) storage.Storage {
	t.Helper()
	cfg := history.DefaultConfig()
	cfg.MinFree, cfg.QueryFeatures = 0, features
	db, err := history.Open(cfg, history.Deps{
		Dir: t.TempDir(), FS: vfs.OS{}, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Registerer: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	current.Store(db)
	return store{db}
}

func (s store) StartTime() (int64, error)                 { return 0, nil }
func (s store) Appender(context.Context) storage.Appender { panic("the tests append by AppenderV2") }
func (s store) AppenderV2(ctx context.Context) storage.AppenderV2 {
	return &transaction{db: s.DB, ctx: ctx}
}

// transaction keeps samples until they are committed.
type transaction struct {
	db      *history.DB
	ctx     context.Context
	appends []func(storage.Appender) error
}

func (x *transaction) Append(_ storage.SeriesRef, l labels.Labels, _, t int64, v float64, h *histogram.Histogram, fh *histogram.FloatHistogram, _ storage.AppendV2Options) (storage.SeriesRef, error) {
	x.appends = append(x.appends, func(app storage.Appender) (err error) {
		if h != nil || fh != nil {
			_, err = app.AppendHistogram(0, l, t, h, fh)
		} else {
			_, err = app.Append(0, l, t, v)
		}
		return err
	})
	return 0, nil
}

func (x *transaction) Commit() error {
	return x.db.Append(x.ctx, func(app storage.Appender, _ int) error {
		var errs []error
		for _, f := range x.appends {
			errs = append(errs, f(app))
		}
		return errors.Join(errs...)
	})
}

func (x *transaction) Rollback() error { x.appends = nil; return nil }
