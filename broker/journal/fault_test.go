package journal_test

import (
	"errors"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"thump/broker/journal"
	"thump/internal/vfs/faulty"
)

// once fails the n-th change of the disk.
func once(n int, f faulty.Fault) func(faulty.Op) *faulty.Fault {
	return func(op faulty.Op) *faulty.Fault {
		if op.N == n {
			return &f
		}
		return nil
	}
}

// work appends, confirms and finishes messages over several segments, with a slow queue that makes
// compaction work, until something fails.
func (w *world) work() error {
	for i := range 30 {
		queues := []uint64{1}
		if i%7 == 0 {
			queues = append(queues, 2)
		}
		id, err := w.tryAppend(300, queues...)
		if err != nil {
			return err
		}
		if i%3 == 0 {
			if err := w.confirm(id); err != nil {
				return err
			}
		}
		if i%5 == 0 {
			if err := w.tryReturned(queues[len(queues)-1], uint16(i), id); err != nil {
				return err
			}
		}
		if i > 4 {
			w.note(1, id-4)
			if err := w.j.Done(1, id-4); err != nil {
				return err
			}
		}
	}
	return nil
}

// TestEveryFault fails each change of the disk in turn, before and after it took effect, and then
// cuts the power: whatever was confirmed is there.
func TestEveryFault(t *testing.T) {
	faults := map[string]faulty.Fault{
		"failed":                  {Err: syscall.EIO},
		"failed and done":         {Err: syscall.EIO, After: true},
		"failed half-way":         {Err: syscall.EIO, Part: 200},
		"power cut before":        {PowerCut: true},
		"power cut after":         {PowerCut: true, After: true},
		"power cut in the middle": {PowerCut: true, Part: 200},
		"disk full":               {Err: syscall.ENOSPC},
		"disk full half-way":      {Err: syscall.ENOSPC, Part: 200},
		"disk full and done":      {Err: syscall.ENOSPC, After: true},
		"quota reached":           {Err: syscall.EDQUOT, Part: 1},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n := 1; n < 90; n++ {
				w := newWorld(t, journal.Options{SegmentSize: 3000, CompactEvery: 200 * time.Microsecond, RetryEvery: time.Millisecond})
				w.disk.Fail(once(n, fault))
				err := w.work()
				if err != nil && !errors.Is(err, journal.ErrFailed) && !errors.Is(err, journal.ErrDiskFull) {
					t.Fatalf("fault at change %d: %v", n, err)
				}
				var r *rand.Rand
				if n%2 == 0 {
					r = rand.New(rand.NewPCG(uint64(n), 0))
				}
				if n%3 == 0 {
					w.kill()
				}
				w.powerCut(r)
				must(t, w.work()) // and it goes on
				w.reopen()
				w.close()
			}
		})
	}
}

// TestEveryFaultOfOpen fails each change that opening makes after a crash: a failed Open spoils nothing.
func TestEveryFaultOfOpen(t *testing.T) {
	for n := 1; n < 20; n++ {
		for _, after := range []bool{false, true} {
			w := newWorld(t, journal.Options{SegmentSize: 3000, CompactEvery: time.Hour})
			must(t, w.work())
			w.durable = w.j.Durable()
			disk := w.disk.PowerCut(rand.New(rand.NewPCG(uint64(n), 1)))
			_ = w.j.Close() // fails: its disk is gone
			w.disk = disk
			w.disk.Fail(once(n, faulty.Fault{Err: syscall.EIO, After: after}))
			if j, err := journal.Open(dir, w.options()); err == nil {
				_ = j.Close() // may meet the fault
			}
			w.disk.Fail(nil)
			w.disk = w.disk.PowerCut(nil)
			w.open()
			w.check(false)
			w.close()
		}
	}
}

// TestFailedSyncConfirmsNothing lets one sync fail and all later ones succeed.
func TestFailedSyncConfirmsNothing(t *testing.T) {
	w := newWorld(t, journal.Options{})
	must(t, w.confirm(w.append(100, 1)))
	var once sync.Once
	w.disk.Fail(func(op faulty.Op) (f *faulty.Fault) {
		if op.Kind == faulty.Sync {
			once.Do(func() { f = &faulty.Fault{Err: syscall.ENOSPC} }) // even this one is not to be tried again
		}
		return f
	})
	id := w.append(100, 1)
	if err := w.confirm(id); !errors.Is(err, journal.ErrFailed) || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("confirm after a failed sync: %v", err)
	}
	if err := w.confirm(1); err != nil {
		t.Errorf("confirm of what was durable before: %v", err)
	}
	if _, err := w.tryAppend(1, 1); !errors.Is(err, journal.ErrFailed) {
		t.Errorf("Append after a failed sync: %v", err)
	}
	w.read(id) // consumers may still have it
	if st := w.j.Stats(); !st.Failed {
		t.Errorf("stats %+v", st)
	}
	if err := w.j.Close(); !errors.Is(err, journal.ErrFailed) {
		t.Errorf("Close: %v", err)
	}
	w.disk = w.disk.PowerCut(nil)
	w.open()
	w.check(false)
	w.close()
}

// TestDiskFull fills the disk: nothing is confirmed until consumers have made space.
func TestDiskFull(t *testing.T) {
	w := newWorld(t, journal.Options{SegmentSize: 5000, RetryEvery: time.Millisecond})
	w.disk.SetCapacity(30_000)
	var id uint64
	var err error
	for err == nil {
		if id, err = w.tryAppend(400, 1); err == nil && id%10 == 0 {
			eventually(t, "the journal takes or refuses", func() bool { return w.j.Durable() >= id || w.j.Stats().Full })
		}
	}
	if !errors.Is(err, journal.ErrDiskFull) || !errors.Is(err, syscall.ENOSPC) || !w.j.Stats().Full {
		t.Fatalf("Append: %v, stats %+v", err, w.j.Stats())
	}
	durable, last := w.j.Durable(), w.live(1)[len(w.live(1))-1]
	if durable < 40 || durable >= last {
		t.Fatalf("%d of %d messages are durable on a disk for about 60", durable, last)
	}
	if used := w.disk.Used(); used > 30_000 {
		t.Fatalf("%d bytes used", used)
	}
	w.done(1, w.live(1)[:30]...)
	must(t, w.confirm(last)) // the consumers' work made space
	must(t, w.confirm(w.append(400, 1)))
	w.reopen()
	w.close()
}

// TestDiskFullCrash cuts the power, and closes, while the disk is full.
func TestDiskFullCrash(t *testing.T) {
	for n := range uint64(40) {
		w := newWorld(t, journal.Options{SegmentSize: 5000, RetryEvery: time.Millisecond})
		w.disk.SetCapacity(12_000 + int64(n)*100)
		var err error
		for err == nil {
			_, err = w.tryAppend(400, 1)
		}
		if n%2 == 0 {
			w.durable = w.j.Durable()
			if err := w.j.Close(); !errors.Is(err, journal.ErrDiskFull) {
				t.Errorf("Close: %v", err)
			}
			w.open()
			w.check(false)
		} else {
			w.powerCut(rand.New(rand.NewPCG(n, n)))
		}
		w.disk.SetCapacity(0)
		must(t, w.confirm(w.append(400, 1)))
		w.reopen()
		w.close()
	}
}

// TestSlowDiskBlocks holds the disk: Append blocks when MaxPending bytes wait, and Done does not.
func TestSlowDiskBlocks(t *testing.T) {
	w := newWorld(t, journal.Options{MaxPending: 10_000})
	hold := make(chan struct{})
	w.disk.Fail(func(op faulty.Op) *faulty.Fault {
		if op.Kind == faulty.Write {
			<-hold
		}
		return nil
	})
	appended := make(chan error)
	go func() {
		defer close(appended)
		for range 100 {
			_, err := w.j.Append([]uint64{1}, nil, make([]byte, 1000))
			appended <- err
		}
	}()
	n := 0
	for full := false; !full; {
		select {
		case err := <-appended:
			must(t, err)
			n++
		case <-time.After(100 * time.Millisecond):
			full = true
		}
	}
	if n < 4 || n > 12 {
		t.Errorf("%d messages of 1000 bytes fit in 10,000", n)
	}
	must(t, w.j.Done(1, 1, 2, 3))
	close(hold)
	for err := range appended {
		must(t, err)
	}
	w.close()
}

// TestBrokenCompaction has compaction copy a part of a segment, the oldest, that then cannot be read further.
// The messages copied leave their queue, and must not come back by the older copy that is still on the disk.
func TestBrokenCompaction(t *testing.T) {
	w, slow := stragglers(t)
	oldest := filepath.Join(dir, segments(t, w.disk)[0])
	var reads atomic.Int64
	w.disk.Fail(func(op faulty.Op) *faulty.Fault {
		if op.Kind == faulty.Read && op.Name == oldest && reads.Add(1) > 350 {
			return &faulty.Fault{Err: syscall.EIO}
		}
		return nil
	})
	w.done(1, w.live(1)...)
	eventually(t, "compaction fails", func() bool { return reads.Load() > 350 })
	w.finishCopied(slow)
	w.disk.Fail(nil)
	w.reopen()
	w.close()
}

// TestInterruptedCompaction does the same with a power cut after some of the changes that compaction makes.
func TestInterruptedCompaction(t *testing.T) {
	for _, n := range []int{1, 3, 5, 6, 7} {
		w, slow := stragglers(t)
		w.done(1, w.live(1)...)
		must(t, w.confirm(w.append(1, 1)))
		w.disk.Fail(once(w.disk.Ops()+n, faulty.Fault{PowerCut: true, After: true}))
		eventually(t, "the power is cut", func() bool { _, err := w.disk.ReadDir(dir); return err != nil })
		w.o.CompactEvery = 50 * time.Millisecond
		w.powerCut(nil)
		w.disk.Fail(unreadable(filepath.Join(dir, segments(t, w.disk)[0])))
		w.finishCopied(slow)
		w.disk.Fail(nil)
		w.reopen()
		w.close()
	}
}

// TestTornDoneRecords tears done records that were written and not synced, and the batch behind them: that is
// no damage.
func TestTornDoneRecords(t *testing.T) {
	for seed := range uint64(20) {
		w := newWorld(t, journal.Options{})
		must(t, w.confirm(w.fill(200, 10, 1)[199]))
		for _, id := range w.live(1) {
			w.done(1, id)
		}
		eventually(t, "the done records are written", func() bool { return w.j.Stats().Pending == 0 })
		w.disk.Fail(once(w.disk.Ops()+1, faulty.Fault{PowerCut: true, After: true}))
		w.append(2000, 1)
		eventually(t, "the power is cut", func() bool { _, err := w.disk.ReadDir(dir); return err != nil })
		w.powerCut(rand.New(rand.NewPCG(seed, 9)))
		w.close()
	}
}

func unreadable(name string) func(op faulty.Op) *faulty.Fault {
	return func(op faulty.Op) *faulty.Fault {
		if op.Kind == faulty.Read && op.Name == name {
			return &faulty.Fault{Err: syscall.EIO}
		}
		return nil
	}
}

// stragglers returns a world in which a third of the messages are also in queue 2, and these messages. More than
// 600 of them are in the oldest segment.
func stragglers(t *testing.T) (w *world, slow []uint64) {
	w = newWorld(t, journal.Options{SegmentSize: 2 << 20, CompactEvery: 10 * time.Millisecond})
	for i := range 3000 {
		if i%3 == 0 {
			slow = append(slow, w.append(1000, 1, 2))
		} else {
			w.append(1000, 1)
		}
	}
	must(t, w.confirm(slow[len(slow)-1]))
	return w, slow
}

// finishCopied finishes all but some messages that the oldest segment has and that are copied late if at all, gives
// the journal work, and the reclaimer time to do what it should not: to remove the copies and what says that they are done.
func (w *world) finishCopied(slow []uint64) {
	w.t.Helper()
	w.done(2, slow[:400]...)
	w.done(2, slow[600:]...)
	for range 3 {
		w.done(1, w.fill(2100, 1000, 1)...)
		must(w.t, w.confirm(w.append(1, 1)))
		w.done(1, w.live(1)...)
		for deadline := time.Now().Add(50 * time.Millisecond); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			w.j.Stats()
		}
	}
}
