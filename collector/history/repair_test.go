package history_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql"

	"thump/collector/history"
)

// spoil changes one byte of a file, counted from the end if negative.
func spoil(t *testing.T, name string, at int) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if at < 0 {
		at += len(b)
	}
	b[at] ^= 0xff
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// reopened opens a folder and returns the log of it besides.
func reopened(t *testing.T, dir string, cfg history.Config) (*history.DB, string) {
	t.Helper()
	var log bytes.Buffer
	d := deps(t, dir)
	d.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	db := openWith(t, cfg, d)
	return db, log.String()
}

// aside are the files that were set aside.
func aside(t *testing.T, db *history.DB) (files []string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(db.Dir(), "corrupt"), func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestCorruptBlock spoils each part of a block. What is not in that part is there
// after the next start, and the log names what is set aside.
func TestCorruptBlock(t *testing.T) {
	cfg := quickConfig() // without roll-ups, which would stand in for the samples
	cfg.Retention5m, cfg.Retention1h = 0, 0
	whole := t.TempDir()
	db := openWith(t, cfg, deps(t, whole))
	newFleet(2, time.Minute).simulate(t, db, 26*hour)
	until(t, "there are blocks", func() bool { return len(blocksIn(t, db, "")) > 1 })
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	total := func(db *history.DB) float64 {
		m := matrix(t, db, "sum(count_over_time(c_total[30h]))", origin.Add(27*hour), origin.Add(27*hour), hour)
		return m[0].Floats[0].F
	}
	const all = 2 * 26 * 60
	for name, test := range map[string]struct {
		file  string
		at    int
		keeps bool // every sample
		says  string
	}{
		"index":      {"index", 0, false, "block cannot be read: it was set aside"},
		"index end":  {"index", -1, false, "block cannot be read: it was set aside"},
		"chunks":     {"chunks/000001", 0, false, "block cannot be read: it was set aside"},
		"meta.json":  {"meta.json", 0, true, "made anew from the index"},
		"tombstones": {"tombstones", 0, true, "deleted from it since it was written are there again"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := copyDir(t, whole)
			blocks, err := filepath.Glob(filepath.Join(dir, strings.Repeat("[0-9A-Z]", 26)))
			if err != nil || len(blocks) < 2 {
				t.Fatalf("blocks %v, %v", blocks, err)
			}
			last := blocks[len(blocks)-1]
			spoil(t, filepath.Join(last, test.file), test.at)
			db, log := reopened(t, dir, cfg)
			if got := total(db); test.keeps && got != all || !test.keeps && (got >= all || got < all/2) {
				t.Errorf("%v samples of %d are left", got, all)
			}
			if !strings.Contains(log, test.says) || !strings.Contains(log, filepath.Base(last)) {
				t.Errorf("the log does not say what happened:\n%s", log)
			}
			if len(aside(t, db)) == 0 {
				t.Error("nothing was set aside")
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			if _, log := reopened(t, dir, cfg); log != "" {
				t.Errorf("the second start is not clean:\n%s", log)
			}
		})
	}
}

// TestCorruptRollup spoils a block of roll-ups.
func TestCorruptRollup(t *testing.T) {
	dir := t.TempDir()
	db := openWith(t, quickConfig(), deps(t, dir))
	newFleet(2, time.Minute).simulate(t, db, 12*hour)
	before := len(blocksIn(t, db, "5m"))
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	last := blocksIn(t, db, "5m")[before-1]
	spoil(t, filepath.Join(last, "index"), 0)
	db, log := reopened(t, dir, quickConfig())
	if !strings.Contains(log, last) || len(aside(t, db)) == 0 {
		t.Errorf("the log does not say what was set aside:\n%s", log)
	}
	rollUp(t, db) // the samples are still there
	if n := len(blocksIn(t, db, "5m")); n != before {
		t.Errorf("%d blocks, want %d again", n, before)
	}
}

// TestCorruptLog spoils a record in the middle of the log. What is behind it is
// there after the next start; the TSDB alone would remove it.
func TestCorruptLog(t *testing.T) {
	for _, log := range []string{"wal", "wbl"} {
		t.Run(log, func(t *testing.T) {
			d := deps(t, t.TempDir())
			db := open(t, d)
			mustPut(t, db, 1, 3000) // the record of the series
			const batches, size = 40, 400
			for i := range batches { // several pages
				first := 3001 + i*size/2
				if log == "wbl" {
					first = -(i + 1) * size / 2
				}
				if err := scatter(db, first, size, false); err != nil {
					t.Fatal(err)
				}
			}
			dir := copyDir(t, d.Dir)
			segment := filepath.Join(dir, log, "00000000")
			spoil(t, segment, int(sizeOf(t, segment))/2)
			again, said := reopened(t, dir, testConfig())
			got := number(t, again, "count_over_time(m[8h])")
			if all := float64(1 + batches*size); got < all*0.6 || got >= all {
				t.Errorf("%v samples of %v are left", got, all)
			}
			if n := number(t, again, last[log]); n == 0 {
				t.Error("nothing behind the bad record is left")
			}
			if !strings.Contains(said, segment) || len(aside(t, again)) != 1 {
				t.Errorf("the log does not say what happened:\n%s", said)
			}
		})
	}
}

// last are expressions for the last batches of each log.
var last = map[string]string{
	"wal": "count_over_time(m[10m] offset 56m)",
	"wbl": "count_over_time(m[10m] offset 22190s)",
}

func sizeOf(t *testing.T, name string) int64 {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// number evaluates an expression four hours after start.
func number(t *testing.T, db *history.DB, expr string) float64 {
	t.Helper()
	q, err := db.Engine().NewInstantQuery(t.Context(), db, nil, expr, start.Add(4*hour))
	if err != nil {
		t.Fatal(err)
	}
	r := q.Exec(t.Context())
	if r.Err != nil {
		t.Fatalf("%s: %v", expr, r.Err)
	}
	v := r.Value.(promql.Vector)
	if len(v) == 0 {
		return 0
	}
	return v[0].F
}
