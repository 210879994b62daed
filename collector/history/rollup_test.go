package history_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"

	"thump/collector/history"
	"thump/internal/config"
)

const (
	hour = time.Hour
	day  = 24 * time.Hour
)

// origin is when the samples of simulated days begin.
var origin = time.Now().Add(-80 * day).Truncate(day)

// fleet is what simulated hosts measure: counters that are reset now and then,
// gauges, values that never change, and a series that comes and goes.
type fleet struct {
	hosts    int
	interval time.Duration
	random   *rand.Rand
	counters []float64
	refs     []storage.SeriesRef
}

const seriesOfHost = 4

func newFleet(hosts int, interval time.Duration) *fleet {
	return &fleet{
		hosts: hosts, interval: interval, random: rand.New(rand.NewPCG(7, 8)),
		counters: make([]float64, hosts), refs: make([]storage.SeriesRef, hosts*seriesOfHost),
	}
}

// report appends one sample of every series.
func (f *fleet) report(t testing.TB, db *history.DB, at time.Time) {
	t.Helper()
	err := db.Append(context.Background(), func(app storage.Appender, _ int) error {
		for host := range f.hosts {
			if f.counters[host] += float64(f.random.IntN(100)); f.random.IntN(2000) == 0 {
				f.counters[host] = 0
			}
			values := []float64{f.counters[host], math.Round(f.random.NormFloat64()*100) / 10, 1, float64(host)}
			jitter := time.Duration(f.random.IntN(20)) * time.Millisecond
			for i, v := range values {
				if i == 3 && at.Hour()%3 == 1 {
					continue // gone for an hour
				}
				if err := f.append(app, host, i, at.Add(jitter), v); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (f *fleet) append(app storage.Appender, host, series int, at time.Time, v float64) error {
	n := host*seriesOfHost + series
	name := []string{"c_total", "g", "up", "sometimes"}[series]
	ls := labels.FromStrings("__name__", name, "instance", fmt.Sprintf("host%04d", host))
	ref, err := app.Append(f.refs[n], ls, at.UnixMilli(), v)
	f.refs[n] = ref
	return err
}

// simulate appends span of time from origin on, and rolls up as upkeep would.
func (f *fleet) simulate(t testing.TB, db *history.DB, span time.Duration) {
	t.Helper()
	for at := time.Duration(0); at < span; at += f.interval {
		f.report(t, db, origin.Add(at))
		if at%hour == 0 {
			rollUp(t, db)
		}
	}
	rollUp(t, db)
}

func rollUp(t testing.TB, db *history.DB) {
	t.Helper()
	if err := db.RollUp(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// quickConfig makes roll-ups two hours behind the newest sample.
func quickConfig() history.Config {
	cfg := testConfig()
	cfg.Retention = config.Duration(1000 * day)
	cfg.OutOfOrderWindow = config.Duration(hour)
	return cfg
}

func openWith(t testing.TB, cfg history.Config, d history.Deps) *history.DB {
	t.Helper()
	db, err := history.Open(cfg, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return db
}

// matrix evaluates an expression from one time to another.
func matrix(t testing.TB, db *history.DB, expr string, from, to time.Time, step time.Duration) promql.Matrix {
	t.Helper()
	q, err := db.Engine().NewRangeQuery(context.Background(), db, nil, expr, from, to, step)
	if err != nil {
		t.Fatal(err)
	}
	r := q.Exec(context.Background())
	if r.Err != nil {
		t.Fatalf("%s: %v", expr, r.Err)
	}
	m := slices.Clone(r.Value.(promql.Matrix))
	slices.SortFunc(m, func(a, b promql.Series) int { return labels.Compare(a.Metric, b.Metric) })
	return m
}

// same fails unless two answers are equal but for rounding.
func same(t testing.TB, what string, got, want promql.Matrix, tolerance float64) {
	t.Helper()
	if len(want) == 0 {
		t.Errorf("%s: no answer to compare with", what)
	}
	if len(got) != len(want) {
		t.Errorf("%s: %d series, want %d", what, len(got), len(want))
		return
	}
	for i := range want {
		if labels.Compare(got[i].Metric, want[i].Metric) != 0 || len(got[i].Floats) != len(want[i].Floats) {
			t.Errorf("%s: %s with %d points, want %s with %d", what, got[i].Metric, len(got[i].Floats), want[i].Metric, len(want[i].Floats))
			return
		}
		for j, w := range want[i].Floats {
			g := got[i].Floats[j]
			if g.T != w.T || math.Abs(g.F-w.F) > tolerance*max(1, math.Abs(w.F)) {
				t.Errorf("%s: %s at %s is %v, want %v", what, got[i].Metric, time.UnixMilli(w.T).UTC(), g.F, w.F)
				return
			}
		}
	}
}

// exact are expressions that roll-ups answer as the samples do, if all moments
// and ranges are ends of windows.
var exact = []string{
	"g", "up", "sum(g)", "max by (instance) (c_total)", "g offset 1h",
	"min_over_time(g[2h])", "max_over_time(g[1h])", "sum_over_time(g[2h])", "last_over_time(g[1h])",
	"count_over_time(g[1h])", "avg_over_time(g[3h])", "avg by (instance) (avg_over_time(c_total[1h]))",
	"rate(c_total[1h])", "increase(c_total[2h])", "sum(rate(c_total[1h]))", "delta(g[1h])",
	"present_over_time(sometimes[1h])", "sometimes", "absent_over_time(nothing[1h])",
	"count_over_time(sometimes[2h]) > 3 and on (instance) avg_over_time(g[1h]) < 100",
}

// compare asks a history with roll-ups and one without them.
func compare(t testing.TB, rolled, raw *history.DB, from, to time.Time) {
	t.Helper()
	for _, step := range []time.Duration{hour, 3 * hour} {
		for _, expr := range exact {
			same(t, fmt.Sprintf("%s every %s", expr, step), matrix(t, rolled, expr, from, to, step), matrix(t, raw, expr, from, to, step), 1e-9)
		}
	}
	for _, expr := range []string{"g", "rate(c_total[5m])", "max_over_time(g[5m])"} {
		same(t, expr+" every 5m", matrix(t, rolled, expr, from, to, 5*time.Minute), matrix(t, raw, expr, from, to, 5*time.Minute), 1e-9)
	}
}

// twins are two histories with the same samples, one with roll-ups and one
// without.
func twins(t testing.TB, hosts int, span time.Duration) (rolled, raw *history.DB) {
	t.Helper()
	cfg := quickConfig()
	rolled = openWith(t, cfg, deps(t, t.TempDir()))
	newFleet(hosts, 30*time.Second).simulate(t, rolled, span)
	cfg.Retention5m, cfg.Retention1h = 0, 0
	raw = openWith(t, cfg, deps(t, t.TempDir()))
	newFleet(hosts, 30*time.Second).simulate(t, raw, span)
	return rolled, raw
}

// TestRollupsAnswerAsSamplesDo compares 48 hours of some hosts with and without
// roll-ups.
func TestRollupsAnswerAsSamplesDo(t *testing.T) {
	rolled, raw := twins(t, 5, 48*hour)
	compare(t, rolled, raw, origin.Add(6*hour), origin.Add(48*hour))
	if n := len(blocksIn(t, rolled, "1h")); n == 0 {
		t.Error("nothing was rolled up to hours")
	}
	if n := len(blocksIn(t, rolled, "5m")); n == 0 || n > 7 {
		t.Errorf("%d blocks of five minutes, want those of a day joined", n)
	}
}

// TestRollupsAreRead proves that the comparison above does not compare samples
// with samples: without its samples the history answers the same.
func TestRollupsAreRead(t *testing.T) {
	cfg := quickConfig()
	d := deps(t, t.TempDir())
	db := openWith(t, cfg, d)
	newFleet(2, 30*time.Second).simulate(t, db, 50*hour)
	from, to := origin.Add(3*hour), origin.Add(24*hour)
	want := map[string]promql.Matrix{}
	for _, expr := range exact {
		want[expr] = matrix(t, db, expr, from, to, hour)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, block := range blocksIn(t, db, "") {
		if err := os.RemoveAll(block); err != nil {
			t.Fatal(err)
		}
	}
	db = openWith(t, cfg, deps(t, d.Dir))
	for _, expr := range exact {
		same(t, expr+" of roll-ups alone", matrix(t, db, expr, from, to, hour), want[expr], 1e-9)
	}
	// Closer than a window there are lines all the same.
	for _, expr := range []string{"up", "g"} {
		m := matrix(t, db, expr, from.Add(7*time.Minute+time.Second), from.Add(hour), 30*time.Second)
		if len(m) != 2 || len(m[0].Floats) != 106 {
			t.Errorf("%s every 30s: %d series of %v, want 2 of 106 points", expr, len(m), m)
		}
	}
}

// until polls a condition.
func until(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("not within two minutes: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func blocksIn(t testing.TB, db *history.DB, shelf string) (dirs []string) {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(db.Dir(), shelf, strings.Repeat("[0-9A-Z]", 26)))
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

// TestNoSampleTwice: where roll-ups give way to samples, none counts twice and
// none is missing, however far back a query begins.
func TestNoSampleTwice(t *testing.T) {
	db := openWith(t, quickConfig(), deps(t, t.TempDir()))
	const hours = 40
	for m := range hours * 60 {
		err := db.Append(t.Context(), func(app storage.Appender, _ int) error {
			_, err := app.Append(0, labels.FromStrings("__name__", "m"), origin.Add(time.Duration(m)*time.Minute).UnixMilli(), 1)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	rollUp(t, db)
	end := origin.Add(hours * hour)
	for h := 1; h < hours; h++ {
		for _, expr := range []string{"count_over_time(m[%dh])", "sum_over_time(m[%dh])", "avg_over_time(m[%dh]) * count_over_time(m[%[1]dh])"} {
			m := matrix(t, db, fmt.Sprintf(expr, h), end, end, hour)
			if got, want := m[0].Floats[0].F, float64(h*60-1); got != want { // the range begins behind a sample and ends at one that is missing
				t.Errorf(expr+" = %v, want %v", h, got, want)
			}
		}
	}
}

// TestRollupLabel asks for a column of roll-ups by name.
func TestRollupLabel(t *testing.T) {
	rolled, raw := twins(t, 2, 30*hour)
	from, to := origin.Add(6*hour), origin.Add(24*hour)
	got := matrix(t, rolled, `max_over_time(g{__rollup__="min"}[1h])`, from, to, hour)
	want := matrix(t, raw, `max_over_time(min_over_time(g[5m])[1h:5m])`, from, to, hour)
	if len(got) != 2 || len(want) != 2 || len(got[0].Floats) != 19 || got[0].Floats[3].F > want[0].Floats[3].F {
		t.Errorf("got %v, want at most %v", got, want)
	}
	if m := matrix(t, rolled, `g{__rollup__="nonsense"}`, from, to, hour); len(m) != 0 {
		t.Errorf("an unknown column gives %v", m)
	}
}
