package history_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
	"go.uber.org/goleak"

	"thump/collector/history"
	"thump/internal/config"
	"thump/internal/vfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start is when the samples of the tests begin.
var start = time.Now().Add(-time.Hour).Truncate(time.Second)

func deps(t testing.TB, dir string) history.Deps {
	return history.Deps{Dir: dir, FS: vfs.OS{}, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Registerer: prometheus.NewRegistry()}
}

func testConfig() history.Config {
	cfg := history.DefaultConfig()
	cfg.MinFree = 0
	return cfg
}

func open(t *testing.T, d history.Deps) *history.DB {
	t.Helper()
	db, err := history.Open(testConfig(), d)
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

// put appends samples of the series m at seconds after start; the value is v.
func put(db *history.DB, v float64, seconds ...int) error {
	return db.Append(context.Background(), func(app storage.Appender, _ int) error {
		for _, s := range seconds {
			at := start.Add(time.Duration(s) * time.Second)
			if _, err := app.Append(0, labels.FromStrings("__name__", "m"), at.UnixMilli(), v); err != nil {
				return err
			}
		}
		return nil
	})
}

func mustPut(t *testing.T, db *history.DB, v float64, seconds ...int) {
	t.Helper()
	if err := put(db, v, seconds...); err != nil {
		t.Fatal(err)
	}
}

// query evaluates an instant query an hour after start.
func query(t *testing.T, db *history.DB, expr string) string {
	t.Helper()
	q, err := db.Engine().NewInstantQuery(context.Background(), db, nil, expr, start.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	r := q.Exec(context.Background())
	if r.Err != nil {
		t.Fatalf("%s: %v", expr, r.Err)
	}
	var lines []string
	for _, s := range r.Value.(promql.Vector) {
		lines = append(lines, fmt.Sprint(s.F))
	}
	return strings.Join(lines, " ")
}

const count, sum = "count_over_time(m[2h])", "sum_over_time(m[2h])"

func expect(t *testing.T, db *history.DB, expr, want string) {
	t.Helper()
	if got := query(t, db, expr); got != want {
		t.Errorf("%s = %q, want %q", expr, got, want)
	}
}

// copyDir copies a data folder as kill -9 would leave it at this moment.
func copyDir(t *testing.T, from string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

func TestAppendSurvivesKill(t *testing.T) {
	d := deps(t, t.TempDir())
	db := open(t, d)
	mustPut(t, db, 1, 10, 20, 30)
	mustPut(t, db, 2, 15) // out of order: another log
	if err := db.Sync(); err != nil {
		t.Fatal(err)
	}
	again := open(t, deps(t, copyDir(t, d.Dir)))
	expect(t, again, count, "4")
	expect(t, again, sum, "5")
}

func TestRepetitionIsTakenOnce(t *testing.T) {
	d := deps(t, t.TempDir())
	db := open(t, d)
	for range 3 {
		mustPut(t, db, 1, 10, 20, 30)
		mustPut(t, db, 1, 12, 14, 5)
		mustPut(t, db, 1, 30) // the newest
	}
	expect(t, db, count, "6")
	killed := open(t, deps(t, copyDir(t, d.Dir)))
	expect(t, killed, count, "6")
	mustPut(t, killed, 1, 10, 14, 20, 30)
	expect(t, killed, count, "6")
}

func TestAnotherValueForTheSameTimeIsRefused(t *testing.T) {
	db := open(t, deps(t, t.TempDir()))
	mustPut(t, db, 1, 10)
	if err := put(db, 2, 10); !errors.Is(err, storage.ErrDuplicateSampleForTimestamp) {
		t.Errorf("err = %v, want a duplicate", err)
	}
	expect(t, db, sum, "1")
}

func TestTooOldIsRefused(t *testing.T) {
	db := open(t, deps(t, t.TempDir()))
	mustPut(t, db, 1, 0)
	mustPut(t, db, 1, -24*3600)
	if err := put(db, 1, -24*3600-1); !errors.Is(err, storage.ErrTooOldSample) {
		t.Errorf("err = %v, want too old", err)
	}
}

// TestTornLog cuts the last record of the log in the middle, as a kill between
// two writes of one commit does. What was committed before must be there, the
// out-of-order samples included.
func TestTornLog(t *testing.T) {
	d := deps(t, t.TempDir())
	db := open(t, d)
	mustPut(t, db, 1, 10, 20)
	mustPut(t, db, 1, 15)
	appendHalfRecord(t, filepath.Join(d.Dir, "wal", "00000000"))
	killed := open(t, deps(t, copyDir(t, d.Dir)))
	expect(t, killed, count, "3")
	mustPut(t, killed, 1, 30, 17)
	again := open(t, deps(t, copyDir(t, killed.Dir())))
	expect(t, again, count, "5")
}

// appendHalfRecord writes the header and half of the content of a record.
func appendHalfRecord(t *testing.T, segment string) {
	t.Helper()
	f, err := os.OpenFile(segment, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write([]byte{1, 0, 40, 1, 2, 3, 4, 'h', 'a', 'l', 'f'}); err != nil {
		t.Fatal(err)
	}
}

func TestFolderInUse(t *testing.T) {
	d := deps(t, t.TempDir())
	open(t, d)
	d.Registerer = prometheus.NewRegistry()
	_, err := history.Open(testConfig(), d)
	var locked *vfs.LockedError
	if !errors.As(err, &locked) || !strings.Contains(err.Error(), d.Dir) {
		t.Errorf("err = %v, want one that says who has the folder", err)
	}
}

func TestClosed(t *testing.T) {
	db := open(t, deps(t, t.TempDir()))
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := put(db, 1, 1); !errors.Is(err, history.ErrUnavailable) {
		t.Errorf("append: %v, want unavailable", err)
	}
	if _, err := db.Querier(0, 1); !errors.Is(err, history.ErrUnavailable) {
		t.Errorf("query: %v, want unavailable", err)
	}
}

func TestDiskFullBeforeItIs(t *testing.T) {
	cfg := testConfig()
	cfg.MinFree = 1 << 60
	db, err := history.Open(cfg, deps(t, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := put(db, 1, 1); !errors.Is(err, history.ErrDiskFull) {
		t.Errorf("append: %v, want disk full", err)
	}
	if err := db.Restore(); !errors.Is(err, history.ErrDiskFull) {
		t.Errorf("restore: %v, want disk full", err)
	}
}

func TestTwoInOneProcess(t *testing.T) {
	reg := prometheus.NewRegistry()
	for _, component := range []string{"collector", "alerting"} {
		d := deps(t, t.TempDir())
		d.Registerer = prometheus.WrapRegistererWith(prometheus.Labels{"component": component}, reg)
		mustPut(t, open(t, d), 1, 1)
	}
	n, err := testutil.GatherAndCount(reg, "prometheus_tsdb_head_series", "prometheus_engine_queries")
	if err != nil || n != 4 {
		t.Errorf("%d metrics, %v; want 4", n, err)
	}
}

func TestBadConfig(t *testing.T) {
	for _, change := range []func(*history.Config){
		func(c *history.Config) { c.Retention = 0 },
		func(c *history.Config) { c.OutOfOrderWindow = config.Duration(-1) },
		func(c *history.Config) { c.QuerySamples = 0 },
		func(c *history.Config) { c.RetentionSize = -1 },
	} {
		cfg := history.DefaultConfig()
		change(&cfg)
		if err := cfg.Validate(); err == nil {
			t.Errorf("%+v is taken", cfg)
		}
	}
	if cfg := history.DefaultConfig(); cfg.Validate() != nil {
		t.Error(cfg.Validate())
	}
}
