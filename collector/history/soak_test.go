package history_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"thump/collector/history"
	"thump/collector/history/rollup"
	"thump/internal/config"
)

// A crowd is many hosts of which the test itself reckons what each window is:
// not by the TSDB, nor by the code that rolls up.
type crowd struct {
	hosts, series int
	interval      time.Duration
	refs          []storage.SeriesRef
	labels        []labels.Labels
	values        []float64
	seed          uint64
	hours, fives  [][]window // by series; fives of the first few hosts
}

// window is what should be left of a series.
type window struct {
	count, min, max, sum, last float64
}

const (
	lateHosts  = 10 // they are cut off for a while, and send later what they have
	finelySeen = 20 // hosts whose fives are reckoned
)

func newCrowd(hosts, series int, interval, span time.Duration) *crowd {
	c := &crowd{hosts: hosts, series: series, interval: interval, seed: 1}
	n := hosts * series
	c.refs, c.values = make([]storage.SeriesRef, n), make([]float64, n)
	for i := range n {
		c.labels = append(c.labels, labels.FromStrings(
			"__name__", fmt.Sprintf("metric_%d", i%series), "group", "soak", "instance", fmt.Sprintf("host%04d", i/series), "job", "node"))
		c.hours = append(c.hours, make([]window, span/hour+1))
		if i < finelySeen*series {
			c.fives = append(c.fives, make([]window, span/(5*time.Minute)+1))
		}
	}
	return c
}

// random is a xorshift: the values are most of the work, otherwise.
func (c *crowd) random() uint64 {
	c.seed ^= c.seed << 13
	c.seed ^= c.seed >> 7
	c.seed ^= c.seed << 17
	return c.seed
}

// next is the next value of a series: a counter that is now and then reset, or a
// gauge.
func (c *crowd) next(i int) float64 {
	r := c.random()
	switch {
	case i%2 == 1:
		c.values[i] = float64(r%1000)/10 - 50
	case r%5000 == 0:
		c.values[i] = 0
	default:
		c.values[i] += float64(r % 100)
	}
	return c.values[i]
}

// sent is a sample on its way.
type sent struct {
	series int
	at     int64
	value  float64
}

// measure makes the samples of all hosts at one time and reckons them in.
func (c *crowd) measure(at time.Duration) []sent {
	var all []sent
	for i := range c.labels {
		// None falls on the end of a window.
		t := (at + time.Duration(1+i/c.series%20)*time.Millisecond).Milliseconds()
		v := c.next(i)
		c.hours[i][t/hour.Milliseconds()].add(v)
		if i < len(c.fives) {
			c.fives[i][t/(5*time.Minute).Milliseconds()].add(v)
		}
		all = append(all, sent{i, origin.UnixMilli() + t, v})
	}
	return all
}

func (w *window) add(v float64) {
	if w.count == 0 {
		w.min, w.max = v, v
	}
	w.count++
	w.min, w.max, w.sum, w.last = min(w.min, v), max(w.max, v), w.sum+v, v
}

func (c *crowd) append(t testing.TB, db *history.DB, all []sent) {
	t.Helper()
	err := db.Append(context.Background(), func(app storage.Appender, _ int) error {
		for _, s := range all {
			ref, err := app.Append(c.refs[s.series], c.labels[s.series], s.at, s.value)
			if err != nil {
				return fmt.Errorf("%s at %s: %w", c.labels[s.series], time.UnixMilli(s.at).UTC(), err)
			}
			c.refs[s.series] = ref
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// delete removes the samples of a host in (from, to], which are whole hours, and
// reckons them out.
func (c *crowd) delete(t testing.TB, db *history.DB, host int, from, to time.Duration) {
	t.Helper()
	name := labels.MustNewMatcher(labels.MatchEqual, "instance", fmt.Sprintf("host%04d", host))
	mint, maxt := origin.Add(from).UnixMilli()+1, origin.Add(to).UnixMilli()
	if err := db.Delete(context.Background(), mint, maxt, name); err != nil {
		t.Fatal(err)
	}
	for i := host * c.series; i < (host+1)*c.series; i++ {
		clear(c.hours[i][from/hour : to/hour])
		if i < len(c.fives) {
			clear(c.fives[i][from/(5*time.Minute) : to/(5*time.Minute)])
		}
	}
}

// scale is how large the simulation is: that of a thousand hosts takes minutes.
func scale() (hosts, series int, interval time.Duration) {
	if os.Getenv("THUMP_LONG_TESTS") != "" {
		return 1000, 10, 30 * time.Second
	}
	return 30, 4, time.Minute
}

// TestThousandHosts simulates two days, in which some hosts are cut off and send
// later, and some samples are deleted. Memory stays bounded, each roll-up is what
// its samples give, and retention takes away what it should and nothing else.
// Without THUMP_LONG_TESTS there are fewer hosts.
func TestThousandHosts(t *testing.T) {
	const simulated = 51 * hour // two days are final three hours later
	hosts, series, interval := scale()
	crowd := newCrowd(hosts, series, interval, simulated)
	cfg := quickConfig()
	cfg.Retention, cfg.Retention5m, cfg.Retention1h = config.Duration(12*hour), config.Duration(24*hour), config.Duration(1000*day)
	d := deps(t, t.TempDir())
	registry := prometheus.NewRegistry()
	d.Registerer = registry
	db := openWith(t, cfg, d)

	cpu, began, samples := cpuTime(t), time.Now(), 0
	var memory []uint64 // after each two hours
	var cutOff []sent
	for at := time.Duration(0); at < simulated; at += interval {
		all := crowd.measure(at)
		samples += len(all)
		if at >= 20*hour && at < 20*hour+40*time.Minute {
			n := lateHosts * series
			cutOff, all = append(cutOff, all[:n]...), all[n:]
		}
		crowd.append(t, db, all)
		switch at {
		case 20*hour + 40*time.Minute:
			crowd.append(t, db, cutOff)
		case 30 * hour:
			rollUp(t, db)
			crowd.delete(t, db, 11, 10*hour, 14*hour) // rolled up, and the samples are gone
			crowd.delete(t, db, 12, 28*hour, 29*hour) // not yet rolled up
		}
		if at > 0 && at%(2*hour) == 0 {
			rollUp(t, db)
			if at >= 4*hour {
				until(t, "the head is compacted", func() bool { return blocksUntil(t, db) >= origin.Add(at-3*hour).UnixMilli() })
			}
			memory = append(memory, liveMemory())
			if n := gauge(t, registry, "prometheus_tsdb_head_series"); n > float64(hosts*series) {
				t.Errorf("%v series in the head after %s, want at most %d", n, at, hosts*series)
			}
		}
	}
	rollUp(t, db)
	t.Logf("%d samples of %d series over %s in %s, %.0f CPU seconds", samples, hosts*series, simulated,
		time.Since(began).Round(time.Second), (cpuTime(t) - cpu).Seconds())

	bounded(t, memory)
	retained(t, db, cfg.Retention.D())
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	// By now five minutes of the first day are beyond retention.
	compareShelf(t, filepath.Join(d.Dir, "5m"), 5*time.Minute, crowd.fives, crowd.labels, day, 2*day)
	compareShelf(t, filepath.Join(d.Dir, "1h"), hour, crowd.hours, crowd.labels, 0, 2*day)
}

// bounded fails if more is in memory on the second day than on the first.
func bounded(t *testing.T, memory []uint64) {
	t.Helper()
	peak := func(some []uint64) (most uint64) {
		for _, m := range some {
			most = max(most, m)
		}
		return most
	}
	first, second := peak(memory[2:12]), peak(memory[12:])
	t.Logf("memory in use at most: %d KiB on the first day, %d KiB on the second", first>>10, second>>10)
	if second > first+first/4 {
		t.Errorf("memory grows: %v", memory)
	}
}

// retained fails unless samples reach back as far as they should, and no block
// further than one block more.
func retained(t *testing.T, db *history.DB, keep time.Duration) {
	t.Helper()
	var metas []string
	oldest, newest := int64(math.MaxInt64), blocksUntil(t, db)
	until(t, "the last compaction is done", func() bool {
		all, err := db.BlockMetas()
		if err != nil {
			t.Fatal(err)
		}
		metas, oldest, newest = nil, math.MaxInt64, blocksUntil(t, db)
		for _, m := range all {
			oldest = min(oldest, m.MaxTime)
			metas = append(metas, fmt.Sprintf("%s to %s", time.UnixMilli(m.MinTime).UTC(), time.UnixMilli(m.MaxTime).UTC()))
		}
		return newest-oldest < keep.Milliseconds()
	})
	// The next older block, of two hours, ended just at the retention, or before.
	if newest-oldest+(2*hour).Milliseconds() < keep.Milliseconds() {
		t.Errorf("samples younger than %s are gone: %s", keep, strings.Join(metas, ", "))
	}
}

// blocksUntil is where the newest block of samples ends, 0 without one.
func blocksUntil(t testing.TB, db *history.DB) (end int64) {
	t.Helper()
	metas, err := db.BlockMetas()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range metas {
		end = max(end, m.MaxTime)
	}
	return end
}

// compareShelf reads all columns of a shelf: it begins and ends where it should,
// and holds what was reckoned.
func compareShelf(t *testing.T, dir string, width time.Duration, want [][]window, names []labels.Labels, from, to time.Duration) {
	t.Helper()
	s, err := rollup.Open(dir, rollup.Options{
		Width: width, Spans: []time.Duration{day}, Logger: deps(t, dir).Logger,
		SetAside:   func(dir string, cause error) error { t.Errorf("%s is set aside: %v", dir, cause); return nil },
		Unreadable: func() { t.Error("a series cannot be read") },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	first, end := s.Covered()
	if first != origin.Add(from).UnixMilli() || end != origin.Add(to).UnixMilli() {
		t.Errorf("%s covers %s to %s, want %s to %s after the beginning", dir, time.UnixMilli(first).Sub(origin), time.UnixMilli(end).Sub(origin), from, to)
	}
	index := map[string]int{}
	for i := range want {
		index[names[i].String()] = i
	}
	for column, value := range map[rollup.Column]func(window) float64{
		rollup.Min: func(w window) float64 { return w.min }, rollup.Max: func(w window) float64 { return w.max },
		rollup.Sum: func(w window) float64 { return w.sum }, rollup.Count: func(w window) float64 { return w.count },
		rollup.Last: func(w window) float64 { return w.last },
	} {
		compareColumn(t, s, column, value, width, want, index, from, to)
	}
}

func compareColumn(t *testing.T, s *rollup.Shelf, column rollup.Column, value func(window) float64, width time.Duration, want [][]window, index map[string]int, from, to time.Duration) {
	t.Helper()
	q, err := s.Querier(column, origin.Add(from).UnixMilli(), origin.Add(to).UnixMilli())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	}()
	set := q.Select(context.Background(), false, nil, labels.MustNewMatcher(labels.MatchRegexp, "instance", ".+"))
	found, compared := 0, 0
	for set.Next() {
		i, ok := index[set.At().Labels().String()]
		if !ok {
			continue
		}
		found++
		it := set.At().Iterator(nil)
		// What the samples give, window after window; those of none are not there.
		n := int(from / width)
		for it.Next() == chunkenc.ValFloat {
			at, got := it.At()
			place := int((at - origin.UnixMilli() - 1) / width.Milliseconds())
			for ; n < place; n++ {
				if want[i][n].count > 0 {
					t.Fatalf("column %d of %s: no window %d, want %v", column, set.At().Labels(), n, want[i][n])
				}
			}
			if w := value(want[i][n]); math.Abs(got-w) > 1e-9*max(1, math.Abs(w)) || want[i][n].count == 0 {
				t.Fatalf("column %d of %s: window %d is %v, want %v of %v", column, set.At().Labels(), n, got, w, want[i][n])
			}
			n++
			compared++
		}
		if it.Err() != nil || n != int(to/width) {
			t.Fatalf("column %d of %s ends at window %d, want %d: %v", column, set.At().Labels(), n, to/width, it.Err())
		}
	}
	if set.Err() != nil || found != len(want) {
		t.Errorf("column %d has %d series, want %d: %v", column, found, len(want), set.Err())
	}
	t.Logf("column %d of %s: %d windows as reckoned", column, width, compared)
}

// liveMemory is what is in use after a collection of garbage.
func liveMemory() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func gauge(t testing.TB, g prometheus.Gatherer, name string) float64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

func cpuTime(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
