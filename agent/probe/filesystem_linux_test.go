package probe

import (
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

func mountLabels(device, fstype, mountpoint string) string {
	return `{device="` + device + `",fstype="` + fstype + `",mountpoint="` + mountpoint + `"}`
}

func TestFilesystemMounts(t *testing.T) {
	p := open(t, fixtures(t))["filesystem"].(*filesystem)
	p.stat = func(path string, st *unix.Statfs_t) error {
		if path == "/run" {
			return syscall.EACCES
		}
		*st = unix.Statfs_t{Bsize: 4096, Blocks: 100, Bfree: 50, Bavail: 40, Files: 30, Ffree: 20}
		return nil
	}
	got := collectAll(t.Context(), t, p)
	root := mountLabels("/dev/mapper/vg-root", "ext4", "/")
	data := mountLabels("/dev/sdb1", "xfs", "/data disk")
	backup := mountLabels("/dev/sdc1", "ext4", "/mnt/backup")
	run := mountLabels("tmpfs", "tmpfs", "/run")
	want := map[string]float64{
		"node_filesystem_size_bytes" + root:   409600,
		"node_filesystem_free_bytes" + root:   204800,
		"node_filesystem_avail_bytes" + root:  163840,
		"node_filesystem_files" + root:        30,
		"node_filesystem_files_free" + root:   20,
		"node_filesystem_readonly" + root:     0,
		"node_filesystem_device_error" + root: 0,
		"node_filesystem_readonly" + data:     1,
		"node_filesystem_readonly" + backup:   1,
		"node_filesystem_readonly" + run:      0,
		"node_filesystem_device_error" + run:  1,
	}
	for name, v := range want {
		if g, ok := got[name]; !ok || g != v {
			t.Errorf("%s = %v (%v), want %v", name, g, ok, v)
		}
	}
	if n := 3*7 + 2; len(got) != n {
		t.Errorf("%d series, want %d: %v", len(got), n, got)
	}
}

// TestFilesystemStuck: a mount whose server is gone costs five seconds once, and
// one goroutine however long it lasts.
func TestFilesystemStuck(t *testing.T) {
	p := open(t, fixtures(t))["filesystem"].(*filesystem)
	synctest.Test(t, func(t *testing.T) {
		back, calls := make(chan struct{}), atomic.Int32{}
		p.stat = func(path string, st *unix.Statfs_t) error {
			if path == "/mnt/backup" {
				calls.Add(1)
				<-back
			}
			return nil
		}
		name := "node_filesystem_device_error" + mountLabels("/dev/sdc1", "ext4", "/mnt/backup")
		for i, want := range []time.Duration{statTimeout, 0, 0} {
			start := time.Now()
			got := collectAll(t.Context(), t, p)
			if took := time.Since(start); took != want {
				t.Errorf("run %d took %v, want %v", i, took, want)
			}
			if got[name] != 1 || calls.Load() != 1 {
				t.Errorf("run %d: error %v after %d calls, want 1 after 1", i, got[name], calls.Load())
			}
			if root := "node_filesystem_device_error" + mountLabels("/dev/mapper/vg-root", "ext4", "/"); got[root] != 0 {
				t.Errorf("run %d: the root does not answer", i)
			}
		}
		close(back)
		synctest.Wait()
		if got := collectAll(t.Context(), t, p); got[name] != 0 {
			t.Error("the mount that came back still has an error")
		}
	})
}
