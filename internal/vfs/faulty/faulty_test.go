package faulty

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"syscall"
	"testing"

	"thump/internal/vfs"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// written returns a disk with a synced file "/d/f" that holds "old", and the file.
func written(t *testing.T) (*FS, vfs.File) {
	t.Helper()
	disk := New()
	must(t, disk.MkdirAll("/d"))
	must(t, vfs.WriteFile(disk, "/d/f", []byte("old")))
	f, err := disk.Open("/d/f")
	must(t, err)
	return disk, f
}

func content(t *testing.T, disk *FS, name string) string {
	t.Helper()
	b, err := vfs.ReadFile(disk, name)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func TestPowerCutLosesWhatIsNotSynced(t *testing.T) {
	disk, f := written(t)
	_, err := f.WriteAt([]byte("new"), 0)
	must(t, err)
	must(t, disk.Rename("/d/f", "/d/g"))
	killed := disk.Kill()
	if got := content(t, killed, "/d/g"); got != "new" {
		t.Errorf("after a kill: %q", got)
	}
	if got := content(t, killed.PowerCut(nil), "/d/f"); got != "old" {
		t.Errorf("after a power cut: %q", got)
	}
	if err := f.Sync(); !errors.Is(err, ErrPowerCut) {
		t.Errorf("Sync on a disk that is off: %v", err)
	}
}

func TestPowerCutTears(t *testing.T) {
	seen := map[string]bool{}
	for s := range uint64(200) {
		disk, f := written(t)
		_, err := f.WriteAt(bytes.Repeat([]byte("x"), 3*sector), 0)
		must(t, err)
		b := content(t, disk.PowerCut(rand.New(rand.NewPCG(s, s))), "/d/f")
		shape := ""
		for i := range 3 {
			shape += map[bool]string{true: "x", false: "."}[len(b) > i*sector && b[i*sector] == 'x']
		}
		seen[shape] = true
	}
	if len(seen) != 8 {
		t.Errorf("sectors survived as %v, want all eight combinations", seen)
	}
}

func TestFailedSyncForgets(t *testing.T) {
	disk, f := written(t)
	_, err := f.WriteAt([]byte("new"), 0)
	must(t, err)
	disk.Fail(func(op Op) *Fault { return &Fault{Err: syscall.EIO} })
	if err := f.Sync(); !errors.Is(err, syscall.EIO) {
		t.Fatalf("Sync: %v", err)
	}
	disk.Fail(nil)
	must(t, f.Sync())
	if got := content(t, disk, "/d/f"); got != "new" {
		t.Errorf("before the power cut: %q", got)
	}
	if got := content(t, disk.PowerCut(nil), "/d/f"); got != "old" {
		t.Errorf("after the power cut: %q", got)
	}
}

func TestFaults(t *testing.T) {
	tests := []struct {
		fault Fault
		want  string
		n     int
	}{
		{Fault{Err: syscall.EIO}, "old", 0},
		{Fault{Err: syscall.EIO, After: true}, "new", 3},
		{Fault{Err: syscall.EIO, Part: 1}, "nld", 1},
	}
	for _, tt := range tests {
		disk, f := written(t)
		disk.Fail(func(Op) *Fault { return &tt.fault })
		n, err := f.WriteAt([]byte("new"), 0)
		disk.Fail(nil)
		if got := content(t, disk, "/d/f"); got != tt.want || n != tt.n || !errors.Is(err, syscall.EIO) {
			t.Errorf("%+v: WriteAt = %d, %v and leaves %q, want %d and %q", tt.fault, n, err, got, tt.n, tt.want)
		}
	}
}

func TestCapacity(t *testing.T) {
	disk, f := written(t)
	disk.SetCapacity(5)
	n, err := f.WriteAt([]byte("longer"), 0)
	if n != 5 || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("WriteAt = %d, %v", n, err)
	}
	if err := f.Allocate(6); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Allocate: %v", err)
	}
	must(t, f.Truncate(0))
	_, err = f.WriteAt([]byte("fits"), 0)
	must(t, err)
}
