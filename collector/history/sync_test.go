package history_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"thump/collector/history"
	"thump/internal/vfs"
)

// faultyFS fails to sync segments of a log while told to, and counts.
type faultyFS struct {
	vfs.OS
	log   string // wal or wbl
	fail  atomic.Bool
	syncs atomic.Int32
}

type faultyFile struct {
	vfs.File
	fs *faultyFS
}

func (fs *faultyFS) Open(name string) (vfs.File, error) {
	f, err := fs.OS.Open(name)
	if err != nil || !strings.Contains(name, "/"+fs.log+"/") {
		return f, err
	}
	return faultyFile{f, fs}, nil
}

func (f faultyFile) Sync() error {
	f.fs.syncs.Add(1)
	if f.fs.fail.Load() {
		return errors.New("input/output error")
	}
	return f.File.Sync()
}

func TestSync(t *testing.T) {
	for _, log := range []string{"wal", "wbl"} {
		t.Run(log, func(t *testing.T) {
			fs := &faultyFS{log: log}
			d := deps(t, t.TempDir())
			d.FS = fs
			db := open(t, d)
			mustPut(t, db, 1, 10)
			before := fs.syncs.Load()
			if err := db.Sync(); err != nil || fs.syncs.Load() != before+1 {
				t.Errorf("%d syncs, %v; want one", fs.syncs.Load()-before, err)
			}
			fs.fail.Store(true)
			if err := db.Sync(); !errors.Is(err, history.ErrBroken) {
				t.Errorf("sync: %v, want broken", err)
			}
			if err := put(db, 1, 20); !errors.Is(err, history.ErrBroken) {
				t.Errorf("append: %v, want broken", err)
			}
			fs.fail.Store(false)
			if err := db.Restore(); err != nil {
				t.Fatal(err)
			}
			mustPut(t, db, 1, 10, 20)
			if err := db.Sync(); err != nil {
				t.Error(err)
			}
			expect(t, db, count, "2")
		})
	}
}

// TestSyncFollowsSegments: a segment that the TSDB has begun since the last sync
// is synced too.
func TestSyncFollowsSegments(t *testing.T) {
	fs := &faultyFS{log: "wal"}
	d := deps(t, t.TempDir())
	d.FS = fs
	db := open(t, d)
	mustPut(t, db, 1, 10)
	next := filepath.Join(d.Dir, "wal", "00000001")
	if err := os.WriteFile(next, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int32{2, 1} { // the old and the new one; only the new one
		before := fs.syncs.Load()
		if err := db.Sync(); err != nil || fs.syncs.Load() != before+want {
			t.Errorf("%d syncs, %v; want %d", fs.syncs.Load()-before, err, want)
		}
	}
}
