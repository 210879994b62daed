package spool_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"syscall"
	"testing"
	"time"

	"thump/agent/spool"
	"thump/internal/bus"
	"thump/internal/vfs"
	"thump/internal/vfs/faulty"
)

const dir = "/spool"

var silent = slog.New(slog.DiscardHandler)

// open opens the spool on a disk, small enough that a few batches fill it.
func open(t testing.TB, disk vfs.FS) *spool.Spool {
	t.Helper()
	s, err := spool.Open(dir, spool.Options{FS: disk, MaxBytes: spool.MinBytes, Logger: silent})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// batch returns the n-th batch, of about size bytes.
func batch(n, size int) *bus.Message {
	return &bus.Message{
		Key: "default.web01.cpu", ContentType: "application/x-protobuf", ContentEncoding: "snappy", Type: "metrics",
		ID: fmt.Sprintf("boot-%d", n), Time: time.Unix(0, int64(n)), Headers: map[string]string{"host": "web01", "probe": ""},
		Body: bytes.Repeat([]byte{byte(n)}, size),
	}
}

// drain takes everything that waits, and returns the IDs.
func drain(t testing.TB, s *spool.Spool) (ids []string) {
	t.Helper()
	for {
		_, m, ok := s.Next()
		if !ok {
			return ids
		}
		ids = append(ids, m.ID)
	}
}

func ids(from, to int) (all []string) {
	for n := from; n <= to; n++ {
		all = append(all, fmt.Sprintf("boot-%d", n))
	}
	return all
}

func TestBatchComesBackAsItWas(t *testing.T) {
	disk := faulty.New()
	s := open(t, disk)
	want := batch(7, 100)
	s.Release(s.Append(want))
	s.Append(batch(8, 10)) // taken, but the process ends before it is done
	s = open(t, disk.Kill())
	_, got, ok := s.Next()
	if !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if rest := drain(t, s); !reflect.DeepEqual(rest, ids(8, 8)) {
		t.Errorf("then %v, want boot-8", rest)
	}
}

func TestStates(t *testing.T) {
	disk := faulty.New()
	s := open(t, disk)
	if _, _, ok := s.Next(); ok {
		t.Error("an empty spool has a batch")
	}
	a, b, c := s.Append(batch(1, 10)), s.Append(batch(2, 10)), s.Append(batch(3, 10))
	if _, _, ok := s.Next(); ok {
		t.Error("a batch that was appended waits")
	}
	s.Release(c)
	s.Release(a)
	s.Done(b)
	select {
	case <-s.Waiting():
	default:
		t.Error("Waiting says nothing after Release")
	}
	if st := s.Stats(); st.Batches != 2 || st.Waiting != 2 || st.Dropped != 0 {
		t.Errorf("stats %+v", st)
	}
	r, m, _ := s.Next()
	if m.ID != "boot-1" {
		t.Errorf("oldest is %s, want boot-1", m.ID)
	}
	s.Done(r)
	s.Done(r) // twice does no harm
	s.Release(r)
	if got := drain(t, open(t, disk.Kill())); !reflect.DeepEqual(got, ids(3, 3)) {
		t.Errorf("after a restart %v wait, want boot-3", got)
	}
}

// TestOldestIsDropped fills the spool five times over.
func TestOldestIsDropped(t *testing.T) {
	disk := faulty.New()
	s := open(t, disk)
	const n, size = 1000, 5000
	for i := 1; i <= n; i++ {
		s.Release(s.Append(batch(i, size)))
		if st := s.Stats(); st.Bytes > spool.MinBytes {
			t.Fatalf("%d bytes after %d batches, limit %d", st.Bytes, i, spool.MinBytes)
		}
	}
	st := s.Stats()
	if st.Bytes != disk.Used() {
		t.Errorf("says %d bytes, the disk has %d", st.Bytes, disk.Used())
	}
	if st.Batches+int(st.Dropped) != n || st.Bytes < spool.MinBytes*9/10 {
		t.Errorf("stats %+v after %d batches", st, n)
	}
	got := drain(t, s)
	if want := ids(int(st.Dropped)+1, n); !reflect.DeepEqual(got, want) {
		t.Errorf("kept %s … %s, want %s … %s", got[0], got[len(got)-1], want[0], want[len(want)-1])
	}
}

// TestDoneSpaceIsReclaimed: what is delivered at once takes two segments at most.
func TestDoneSpaceIsReclaimed(t *testing.T) {
	disk := faulty.New()
	s := open(t, disk)
	for i := range 2000 {
		s.Done(s.Append(batch(i, 5000)))
	}
	if st := s.Stats(); st.Bytes > spool.MinBytes/32+6000 || st.Batches != 0 || st.Dropped != 0 {
		t.Errorf("stats %+v", st)
	}
}

// TestDiskFull: what does not fit is kept in memory, as far as that goes, and
// comes out behind what is on disk.
func TestDiskFull(t *testing.T) {
	disk := faulty.New()
	s := open(t, disk)
	const onDisk, kept = 4, 256 // memoryBatches
	for i := 1; i <= onDisk; i++ {
		s.Release(s.Append(batch(i, 100)))
	}
	disk.SetCapacity(disk.Used() + 50)
	const n = onDisk + kept + 10
	for i := onDisk + 1; i <= n; i++ {
		s.Release(s.Append(batch(i, 100)))
	}
	if st := s.Stats(); st.Batches != onDisk+kept || st.Dropped != 10 {
		t.Errorf("stats %+v", st)
	}
	got := drain(t, s)
	if want := append(ids(1, onDisk), ids(n-kept+1, n)...); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
	disk.SetCapacity(0)
	s.Release(s.Append(batch(n+1, 100)))
	after := open(t, disk.Kill())
	if got, want := drain(t, after), append(ids(1, onDisk), ids(n+1, n+1)...); !reflect.DeepEqual(got, want) {
		t.Errorf("after a restart %v, want %v", got, want)
	}
}

// TestEveryFault fails each operation on the disk in turn, before and after it
// took effect, and once with the disk failing from there on. Whatever happens, a batch
// is delivered, or waits, or is counted.
func TestEveryFault(t *testing.T) {
	scenario := func(disk *faulty.FS) (s *spool.Spool, done int) {
		s = open(t, disk)
		for i := range 60 {
			r := s.Append(batch(i, 2000))
			if i%3 == 0 {
				s.Done(r)
				done++
			} else {
				s.Release(r)
			}
			if i%10 == 0 {
				_ = s.Sync()
			}
		}
		return s, done
	}
	reference := faulty.New()
	scenario(reference)
	for at := 1; at <= reference.Ops(); at++ {
		for _, kind := range []faulty.Fault{{Err: syscall.EIO}, {Err: syscall.EIO, After: true}, {Err: syscall.ENOSPC, Part: 11}} {
			for _, forever := range []bool{false, true} {
				disk := faulty.New()
				disk.Fail(func(op faulty.Op) *faulty.Fault {
					if op.Kind.Changes() && (op.N == at || forever && op.N > at) {
						return &kind
					}
					return nil
				})
				s, done := scenario(disk)
				if st, n := s.Stats(), len(drain(t, s)); n+done+int(st.Dropped) != 60 {
					t.Errorf("fault %+v at %d, forever %v: %d waited, %d done, %d dropped, of 60", kind, at, forever, n, done, st.Dropped)
				}
				disk.Fail(nil)
				seen := map[string]bool{}
				for _, id := range drain(t, open(t, disk.Kill())) {
					if seen[id] {
						t.Errorf("fault %+v at %d: %s twice after a restart", kind, at, id)
					}
					seen[id] = true
				}
			}
		}
	}
}

// TestPowerCutAnywhere cuts the power at each operation: the spool opens, has all
// that was synced, and nothing that was never appended.
func TestPowerCutAnywhere(t *testing.T) {
	for seed := range uint64(3) {
		for at := 1; ; at++ {
			disk := faulty.New()
			cut := false
			disk.Fail(func(op faulty.Op) *faulty.Fault {
				if cut = cut || op.Kind.Changes() && op.N == at; cut {
					return &faulty.Fault{PowerCut: true, After: at%2 == 0}
				}
				return nil
			})
			synced, appended := 0, 0
			if s, err := spool.Open(dir, spool.Options{FS: disk, MaxBytes: spool.MinBytes, Logger: silent}); err == nil {
				for ; appended < 40 && !cut; appended++ {
					s.Release(s.Append(batch(appended, 3000)))
					if appended%7 == 0 && s.Sync() == nil && !cut {
						synced = appended + 1
					}
				}
			}
			survivor := disk.PowerCut(rand.New(rand.NewPCG(seed, uint64(at))))
			checkSurvivor(t, at, survivor, synced, appended)
			if !cut {
				break
			}
		}
	}
}

func checkSurvivor(t *testing.T, at int, disk *faulty.FS, synced, appended int) {
	t.Helper()
	s := open(t, disk)
	found := map[string]bool{}
	for {
		_, m, ok := s.Next()
		if !ok {
			break
		}
		var n int
		if _, err := fmt.Sscanf(m.ID, "boot-%d", &n); err != nil || n > appended {
			t.Errorf("cut at %d: %s was never appended", at, m.ID)
		}
		if want := batch(n, 3000); !reflect.DeepEqual(m, want) {
			t.Errorf("cut at %d: %s is not what was appended", at, m.ID)
		}
		found[m.ID] = true
	}
	for n := range synced {
		if !found[fmt.Sprintf("boot-%d", n)] {
			t.Errorf("cut at %d: boot-%d was synced and is gone", at, n)
		}
	}
}

// TestSyncOnlyWhenNeeded: a broker that confirms costs the disk no sync.
func TestSyncOnlyWhenNeeded(t *testing.T) {
	disk := faulty.New()
	s := open(t, disk)
	s.Done(s.Append(batch(0, 10)))
	syncs := func() int {
		before := disk.Ops()
		if err := s.Sync(); err != nil {
			t.Fatal(err)
		}
		return disk.Ops() - before
	}
	if n := syncs(); n != 0 {
		t.Errorf("%d syncs while all is done", n)
	}
	r := s.Append(batch(1, 10))
	if n := syncs(); n != 1 {
		t.Errorf("%d syncs with a batch that is not done, want 1", n)
	}
	s.Release(r)
	if n := syncs(); n != 0 {
		t.Errorf("%d syncs with nothing new", n)
	}
	select {
	case <-s.Unsynced():
	default:
		t.Error("Unsynced says nothing after Append")
	}
}

func TestLocked(t *testing.T) {
	disk := faulty.New()
	s := open(t, disk)
	var locked *vfs.LockedError
	if _, err := spool.Open(dir, spool.Options{FS: disk, MaxBytes: spool.MinBytes, Logger: silent}); !errors.As(err, &locked) {
		t.Errorf("second Open: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := open(t, disk).Close(); err != nil {
		t.Fatal(err)
	}
}

func TestLimits(t *testing.T) {
	for _, n := range []int64{0, spool.MinBytes - 1, spool.MaxBytes + 1} {
		if _, err := spool.Open(dir, spool.Options{FS: faulty.New(), MaxBytes: n, Logger: silent}); err == nil {
			t.Errorf("Open with a limit of %d: no error", n)
		}
	}
}

// TestDamage is the table of what may have become of a segment of three batches.
func TestDamage(t *testing.T) {
	const head, size = 12, 400
	tests := []struct {
		name   string
		damage func(b []byte) []byte
		want   []string
		fails  bool
	}{
		{"none", func(b []byte) []byte { return b }, ids(1, 3), false},
		{"cut in the last batch", func(b []byte) []byte { return b[:len(b)-1] }, ids(1, 2), false},
		{"cut behind the head", func(b []byte) []byte { return b[:head] }, nil, false},
		{"cut in the head", func(b []byte) []byte { return b[:head-1] }, nil, false},
		{"empty", func([]byte) []byte { return nil }, nil, false},
		{"not a segment", func([]byte) []byte { return []byte("something else altogether") }, nil, false},
		{"zeros behind", func(b []byte) []byte { return append(b, make([]byte, 5000)...) }, ids(1, 3), false},
		{"first batch damaged", flip(head + 3), ids(2, 3), false},
		{"body of the second damaged", flip(head + size + size/2), []string{"boot-1", "boot-3"}, false},
		{"newer version", func(b []byte) []byte { b[7] = 2; return b }, nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			disk := faulty.New()
			s := open(t, disk)
			for n := 1; n <= 3; n++ {
				s.Append(batch(n, size-102))
			}
			disk = disk.Kill()
			path := filepath.Join(dir, "0000000000000001.spool")
			b, err := vfs.ReadFile(disk, path)
			if err != nil || len(b) != head+3*size {
				t.Fatalf("segment of %d bytes, want %d (%v)", len(b), head+3*size, err)
			}
			if err := vfs.WriteFile(disk, path, tt.damage(b)); err != nil {
				t.Fatal(err)
			}
			s, err = spool.Open(dir, spool.Options{FS: disk, MaxBytes: spool.MinBytes, Logger: silent})
			if (err != nil) != tt.fails {
				t.Fatalf("Open: %v", err)
			}
			if err != nil {
				return
			}
			if got := drain(t, s); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			s.Release(s.Append(batch(9, 10)))
			if got := drain(t, open(t, disk.Kill())); got[len(got)-1] != "boot-9" {
				t.Errorf("what was appended to the mended spool is gone: %v", got)
			}
		})
	}
}

func flip(at int) func([]byte) []byte {
	return func(b []byte) []byte { b[at] ^= 0x20; return b }
}

// TestGolden opens a folder that version 1 wrote: boot-1 to boot-3 appended, boot-2 done.
func TestGolden(t *testing.T) {
	b, err := os.ReadFile("testdata/v1.spool")
	if err != nil {
		t.Fatal(err)
	}
	disk := faulty.New()
	if err := disk.MkdirAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := vfs.WriteFile(disk, filepath.Join(dir, "0000000000000001.spool"), b); err != nil {
		t.Fatal(err)
	}
	s := open(t, disk)
	for _, n := range []int{1, 3} {
		if _, m, ok := s.Next(); !ok || !reflect.DeepEqual(m, batch(n, 20)) {
			t.Errorf("got %+v, want %+v", m, batch(n, 20))
		}
	}
	if _, m, ok := s.Next(); ok {
		t.Errorf("also %+v", m)
	}
}

// TestOnRealDisk is the round on the operating system's files.
func TestOnRealDisk(t *testing.T) {
	o := spool.Options{FS: vfs.OS{}, MaxBytes: spool.MinBytes, Logger: silent}
	d := filepath.Join(t.TempDir(), "a", "spool")
	s, err := spool.Open(d, o)
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i <= 300; i++ {
		s.Release(s.Append(batch(i, 5000)))
	}
	kept := s.Stats().Batches
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = spool.Open(d, o); err != nil {
		t.Fatal(err)
	}
	if got := drain(t, s); !reflect.DeepEqual(got, ids(301-kept, 300)) {
		t.Errorf("%d batches after reopening, want %d", len(got), kept)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkAppendDone(b *testing.B) {
	s, err := spool.Open(b.TempDir(), spool.Options{FS: vfs.OS{}, MaxBytes: 256 << 20, Logger: silent})
	if err != nil {
		b.Fatal(err)
	}
	m := batch(1, 1500)
	b.ReportAllocs()
	for b.Loop() {
		s.Done(s.Append(m))
	}
	b.StopTimer()
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}
