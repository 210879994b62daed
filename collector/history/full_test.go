//go:build linux

package history_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"golang.org/x/sys/unix"

	"thump/collector/history"
)

// limitFileSize makes every write of this process behind n bytes of a file fail,
// as a full disk does, until the function it returns is called.
func limitFileSize(t *testing.T, n uint64) (lift func()) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ)
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: n, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	lift = func() {
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &old); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(lift)
	return lift
}

// scatter appends n samples of the series m whose values do not compress, at
// every half second from first on; from the last to the first if backwards.
func scatter(db *history.DB, first, n int, backwards bool) error {
	random := rand.New(rand.NewPCG(1, 2))
	return db.Append(context.Background(), func(app storage.Appender, _ int) error {
		for i := range n {
			if backwards {
				i = n - 1 - i
			}
			at := start.Add(time.Duration(first)*time.Second + time.Duration(i)*time.Second/2)
			if _, err := app.Append(0, labels.FromStrings("__name__", "m"), at.UnixMilli(), random.Float64()); err != nil {
				return err
			}
		}
		return nil
	})
}

// TestWriteFails lets a commit fail in the middle of a record that takes several
// pages: the case in which a bare TSDB loses what it commits afterwards.
func TestWriteFails(t *testing.T) {
	if !inChild(t) {
		return
	}
	d := deps(t, t.TempDir())
	db := open(t, d)
	mustPut(t, db, 1, 1, 2, 3)
	mustPut(t, db, 1, 0) // late
	lift := limitFileSize(t, 33_000)
	if err := scatter(db, 10, 6000, false); !errors.Is(err, history.ErrBroken) {
		t.Fatalf("append on a full disk: %v, want broken", err)
	}
	if err := put(db, 1, 4); !errors.Is(err, history.ErrBroken) {
		t.Errorf("append behind a torn record: %v, want it refused", err)
	}
	if err := db.Restore(); err == nil {
		t.Error("restored while nothing can be written")
	}
	lift()
	if err := db.Restore(); err != nil {
		t.Fatal(err)
	}
	expect(t, db, count, "4")
	if err := scatter(db, 10, 6000, false); err != nil {
		t.Fatal(err)
	}
	expect(t, db, count, "6004")
	expect(t, open(t, deps(t, copyDir(t, d.Dir))), count, "6004")
}

// TestWriteOfLateSamplesFails lets the second log fail, which the TSDB does not
// return as an error.
func TestWriteOfLateSamplesFails(t *testing.T) {
	if !inChild(t) {
		return
	}
	prepare := func(d history.Deps) *history.DB {
		db := open(t, d)
		mustPut(t, db, 1, 2000)
		// More than one chunk of late samples makes the file of chunks.
		if err := scatter(db, 1500, 100, true); err != nil {
			t.Fatal(err)
		}
		return db
	}
	trial := deps(t, t.TempDir())
	if err := scatter(prepare(trial), 0, 1000, true); err != nil {
		t.Fatal(err)
	}
	inOrder, late := size(t, trial.Dir, "wal"), size(t, trial.Dir, "wbl")
	if late < inOrder+1000 {
		t.Fatalf("logs of %d and %d bytes: the second is too small for this test", inOrder, late)
	}

	d := deps(t, t.TempDir())
	db := prepare(d)
	lift := limitFileSize(t, uint64(inOrder+late)/2)
	if err := scatter(db, 0, 1000, true); !errors.Is(err, history.ErrBroken) {
		t.Errorf("append: %v, want broken", err)
	}
	lift()
	if err := db.Restore(); err != nil {
		t.Fatal(err)
	}
	if err := scatter(db, 0, 1000, true); err != nil {
		t.Fatal(err)
	}
	expect(t, db, count, "1101")
	expect(t, open(t, deps(t, copyDir(t, d.Dir))), count, "1101")
}

// size is that of the first segment of a log.
func size(t *testing.T, dir, log string) int64 {
	t.Helper()
	info, err := os.Stat(filepath.Join(dir, log, "00000000"))
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// inChild runs the test alone in a process of its own, whose limits it may
// change; it tells whether this is that process.
func inChild(t *testing.T) bool {
	t.Helper()
	const variable = "THUMP_TEST_CHILD"
	if os.Getenv(variable) == t.Name() {
		return true
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, "-test.run=^"+t.Name()+"$", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), variable+"="+t.Name())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}
