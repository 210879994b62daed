package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"

	"thump/collector/history"
	"thump/collector/promapi"
	"thump/internal/config"
	"thump/internal/vfs"
)

func openHistory(t *testing.T, data string) *history.DB {
	t.Helper()
	cfg := history.DefaultConfig()
	cfg.MinFree, cfg.OutOfOrderWindow = 0, config.Duration(time.Hour)
	db, err := history.Open(cfg, history.Deps{
		Dir: filepath.Join(data, "history"), FS: vfs.OS{}, Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// served answers the API of a history, with or without its admin's part.
func served(t *testing.T, db *history.DB, admin bool) string {
	t.Helper()
	s := httptest.NewServer(promapi.New(&promapi.Deps{
		Storage: db, Engine: db.Engine(), Parser: db.Parser(), Logger: slog.New(slog.DiscardHandler),
		Registerer: prometheus.NewRegistry(), Gatherer: prometheus.NewRegistry(), Admin: admin,
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// thump runs a command line.
func thump(args ...string) (string, error) {
	root := newRoot()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(args)
	err := root.ExecuteContext(context.Background())
	return out.String(), err
}

const hours = 30

// fillHistory appends a sample of the series m each minute, and one late one.
func fillHistory(t *testing.T, db *history.DB) (end time.Time) {
	t.Helper()
	begin := time.Now().Add(-hours * time.Hour).Truncate(time.Hour)
	put := func(minutes ...time.Duration) {
		t.Helper()
		err := db.Append(t.Context(), func(app storage.Appender, _ int) error {
			for _, m := range minutes {
				if _, err := app.Append(0, labels.FromStrings("__name__", "m"), begin.Add(m).UnixMilli(), m.Minutes()); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for m := range time.Duration(hours * 60) {
		put(m * time.Minute)
	}
	end = begin.Add(hours * time.Hour)
	put((hours*60 - 5) * time.Minute) // again: no effect
	put((hours*60-5)*time.Minute + time.Second)
	if err := db.RollUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	return end
}

func samplesOf(t *testing.T, db *history.DB, at time.Time) string {
	t.Helper()
	q, err := db.Engine().NewInstantQuery(t.Context(), db, nil, fmt.Sprintf("count_over_time(m[%dh])", hours+1), at)
	if err != nil {
		t.Fatal(err)
	}
	r := q.Exec(t.Context())
	if r.Err != nil || len(r.Value.(promql.Vector)) != 1 {
		t.Fatalf("%v, %v", r.Value, r.Err)
	}
	return fmt.Sprint(r.Value.(promql.Vector)[0].F)
}

// TestBackup backs up a history in use, restores it, and opens it.
func TestBackup(t *testing.T) {
	data := t.TempDir()
	db := openHistory(t, data)
	end := fillHistory(t, db)
	want := fmt.Sprint(hours*60 + 1.0)
	copied, fresh := filepath.Join(t.TempDir(), "copy"), filepath.Join(t.TempDir(), "data")

	if out, err := thump("history", "backup", copied, "--data-dir", data, "--server", served(t, db, false)); err == nil || !strings.Contains(err.Error(), "--admin-api") {
		t.Errorf("without the admin API: %v\n%s", err, out)
	}
	if out, err := thump("history", "backup", copied, "--data-dir", data, "--server", served(t, db, true)); err != nil || !strings.Contains(out, "5m/") {
		t.Fatalf("backup: %v\n%s", err, out)
	}
	if left, err := os.ReadDir(filepath.Join(data, "history", "snapshots")); err != nil || len(left) != 0 {
		t.Errorf("%d snapshots are left, %v", len(left), err)
	}
	if out, err := thump("history", "backup", copied, "--data-dir", data); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("backup over a backup: %v\n%s", err, out)
	}
	if out, err := thump("history", "restore", copied, "--data-dir", data); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("restore over history: %v\n%s", err, out)
	}
	if out, err := thump("history", "restore", copied, "--data-dir", fresh); err != nil {
		t.Fatalf("restore: %v\n%s", err, out)
	}
	if got := samplesOf(t, db, end); got != want {
		t.Errorf("%s samples before, want %s", got, want)
	}
	if got := samplesOf(t, openHistory(t, fresh), end); got != want {
		t.Errorf("%s samples after the restore, want %s", got, want)
	}
}

// TestVerify spoils a byte of each kind of file.
func TestVerify(t *testing.T) {
	data := t.TempDir()
	db := openHistory(t, data)
	fillHistory(t, db)
	sound := filepath.Join(t.TempDir(), "sound")
	if err := db.Snapshot(filepath.Join(sound, "history"), true); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(sound, "history", "wal"), os.DirFS(filepath.Join(data, "history", "wal"))); err != nil {
		t.Fatal(err)
	}
	if out, err := thump("history", "verify", "--data-dir", sound); err != nil || strings.Count(out, "sound") < 3 {
		t.Fatalf("sound history: %v\n%s", err, out)
	}
	for _, pattern := range []string{
		"0*/index", "0*/chunks/000001", "0*/meta.json", "0*/tombstones", "5m/0*/index", "5m/0*/chunks/000001", "wal/00000000",
	} {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(filepath.Join(sound, "history"))); err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v, %v", pattern, files, err)
		}
		b, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		at := len(b) / 2
		if strings.HasSuffix(pattern, "index") {
			at = 20 // a symbol
		}
		b[at] ^= 0xff
		if strings.HasSuffix(pattern, "json") {
			b[0] = 'x'
		}
		if err := os.WriteFile(files[0], b, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := thump("history", "verify", dir)
		if err == nil || !strings.Contains(err.Error(), "1 of ") || !strings.Contains(err.Error(), filepath.Dir(strings.TrimSuffix(files[0], "/chunks/000001"))) {
			t.Errorf("%s: %v\n%s", pattern, err, out)
		}
	}
	if _, err := thump("history", "verify", t.TempDir()); err == nil {
		t.Error("an empty folder is sound")
	}
}
