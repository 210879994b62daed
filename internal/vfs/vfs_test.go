package vfs_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"thump/internal/vfs"
	"thump/internal/vfs/faulty"
)

// each runs a test on the operating system's files and on those in memory, which must behave alike.
func each(t *testing.T, test func(t *testing.T, disk vfs.FS, dir string)) {
	t.Run("os", func(t *testing.T) { test(t, vfs.OS{}, filepath.Join(t.TempDir(), "data")) })
	t.Run("faulty", func(t *testing.T) { test(t, faulty.New(), "/data") })
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestFile(t *testing.T) {
	each(t, func(t *testing.T, disk vfs.FS, dir string) {
		must(t, disk.MkdirAll(dir))
		name := filepath.Join(dir, "a")
		f, err := disk.Create(name)
		must(t, err)
		must(t, f.Allocate(20))
		_, err = f.WriteAt([]byte("hello"), 10)
		must(t, err)
		must(t, f.Sync())
		wantContent(t, disk, name, "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00hello\x00\x00\x00\x00\x00")
		must(t, f.Truncate(12))
		must(t, f.Allocate(5)) // never shortens
		wantContent(t, disk, name, "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00he")
		if n, err := f.ReadAt(make([]byte, 5), 10); n != 2 || err == nil {
			t.Errorf("ReadAt over the end = %d, %v", n, err)
		}
		must(t, f.Close())
		f, err = disk.Create(name)
		must(t, err)
		must(t, f.Close())
		wantContent(t, disk, name, "")
	})
}

func wantContent(t *testing.T, disk vfs.FS, name, want string) {
	t.Helper()
	got, err := vfs.ReadFile(disk, name)
	if err != nil || string(got) != want {
		t.Errorf("%s holds %q, %v, want %q", filepath.Base(name), got, err, want)
	}
}

func TestNames(t *testing.T) {
	each(t, func(t *testing.T, disk vfs.FS, dir string) {
		if _, err := disk.ReadDir(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("ReadDir of no folder: %v", err)
		}
		if _, err := disk.Create(filepath.Join(dir, "a")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Create in no folder: %v", err)
		}
		must(t, disk.MkdirAll(filepath.Join(dir, "sub")))
		must(t, disk.MkdirAll(dir))
		for _, name := range []string{"c", "a", "b"} {
			must(t, vfs.WriteFile(disk, filepath.Join(dir, name), []byte(name)))
		}
		must(t, vfs.WriteFile(disk, filepath.Join(dir, "a"), []byte("new")))
		must(t, disk.Rename(filepath.Join(dir, "a"), filepath.Join(dir, "c")))
		must(t, disk.Remove(filepath.Join(dir, "b")))
		must(t, disk.SyncDir(dir))
		names, err := disk.ReadDir(dir)
		if err != nil || !slices.Equal(names, []string{"c"}) {
			t.Errorf("ReadDir = %v, %v", names, err)
		}
		wantContent(t, disk, filepath.Join(dir, "c"), "new")
		for name, err := range map[string]error{
			"Remove": disk.Remove(filepath.Join(dir, "b")),
			"Rename": disk.Rename(filepath.Join(dir, "b"), filepath.Join(dir, "d")),
		} {
			if !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s of no file: %v", name, err)
			}
		}
	})
}

func TestLock(t *testing.T) {
	each(t, func(t *testing.T, disk vfs.FS, dir string) {
		must(t, disk.MkdirAll(dir))
		first, err := disk.Lock(dir)
		must(t, err)
		_, err = disk.Lock(dir)
		var locked *vfs.LockedError
		if !errors.As(err, &locked) || locked.Dir != dir {
			t.Fatalf("second Lock: %v", err)
		}
		if _, real := disk.(vfs.OS); real && locked.PID != os.Getpid() {
			t.Errorf("held by process %d, want %d", locked.PID, os.Getpid())
		}
		must(t, first.Close())
		again, err := disk.Lock(dir)
		must(t, err)
		must(t, again.Close())
	})
}

// TestWriteFileWhole cuts the power at every operation of WriteFile: the file is the old one or the new one.
func TestWriteFileWhole(t *testing.T) {
	for n := 1; ; n++ {
		disk := faulty.New()
		must(t, disk.MkdirAll("/data"))
		must(t, vfs.WriteFile(disk, "/data/f", []byte("old")))
		start := disk.Ops()
		disk.Fail(func(op faulty.Op) *faulty.Fault {
			return map[bool]*faulty.Fault{true: {PowerCut: true, After: true}}[op.N == start+n]
		})
		err := vfs.WriteFile(disk, "/data/f", []byte("new"))
		want := map[bool]string{true: "new", false: "old"}[err == nil || n == 5]
		wantContent(t, disk.PowerCut(nil), "/data/f", want)
		if err == nil {
			if n != 6 {
				t.Errorf("WriteFile made %d changes, want create, write, sync, rename, syncdir", n-1)
			}
			return
		}
	}
}
