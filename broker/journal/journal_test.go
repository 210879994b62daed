package journal_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"thump/broker/journal"
	"thump/internal/vfs"
)

func TestAppendReadReopen(t *testing.T) {
	w := newWorld(t, journal.Options{SegmentSize: 2000})
	defer func() { w.close() }()
	for i, size := range []int{0, 1, 100, 5000, 300, 300, 1950, 0} {
		id := w.append(size, 7)
		if id != uint64(i+1) {
			t.Errorf("id %d, want %d", id, i+1)
		}
		w.read(id) // from memory, or wherever it is by now
	}
	must(t, w.confirm(8))
	for id := range uint64(8) {
		w.read(id + 1)
	}
	w.reopen()
	if id := w.append(10, 7); id != 9 {
		t.Errorf("id after reopening %d, want 9", id)
	}
	w.reopen()
	w.reopen()
}

func TestDone(t *testing.T) {
	w := newWorld(t, journal.Options{SegmentSize: 4000})
	defer func() { w.close() }()
	w.fill(50, 100, 1, 2, 3)
	w.fill(50, 100, 2)
	w.done(1, w.live(1)...)
	w.done(2, 5, 99, 7, 7, 7, 12345)
	if _, _, err := w.j.Read(99); !errors.Is(err, journal.ErrNotFound) {
		t.Errorf("Read of a message that left its last queue: %v", err)
	}
	w.read(5) // 3 has it
	w.reopen()
	w.done(3, w.live(3)[:20]...)
	w.reopen()
	if got := w.j.Recovered(2); got != nil {
		t.Errorf("handed out twice: %v", got)
	}
}

func TestManyQueues(t *testing.T) {
	w := newWorld(t, journal.Options{SegmentSize: 4000})
	defer func() { w.close() }()
	var queues []uint64
	for q := range uint64(100) {
		queues = append(queues, 1000-q)
	}
	w.fill(3, 10, queues...)
	w.append(10, queues[:17]...)
	for _, q := range queues[1:] {
		w.done(q, 1, 3, 4)
	}
	w.reopen()
	w.done(queues[0], 1, 4)
	w.reopen()
	if st := w.j.Stats(); st.Messages != 2 {
		t.Errorf("%d messages, want 2", st.Messages)
	}
}

func TestUnknownQueues(t *testing.T) {
	w := newWorld(t, journal.Options{Known: func(q uint64) bool { return q != 2 }})
	defer func() { w.close() }()
	w.fill(3, 10, 1, 2)
	w.append(10, 2)
	w.close()
	w.open()
	if got := len(w.j.Recovered(1)); got != 3 {
		t.Errorf("queue 1 has %d messages, want 3", got)
	}
	if got := w.j.Recovered(2); got != nil {
		t.Errorf("queue 2 does not exist and has %v", got)
	}
	if st := w.j.Stats(); st.Messages != 3 {
		t.Errorf("%d messages, want 3", st.Messages)
	}
}

func TestRefused(t *testing.T) {
	w := newWorld(t, journal.Options{})
	if _, err := w.j.Append(nil, nil, nil); !errors.Is(err, journal.ErrTooLarge) {
		t.Errorf("Append to no queue: %v", err)
	}
	var locked *vfs.LockedError
	if _, err := journal.Open(dir, w.options()); !errors.As(err, &locked) {
		t.Errorf("Open of an open journal: %v", err)
	}
	w.close()
	must(t, w.j.Close())
	if _, err := w.tryAppend(1, 1); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("Append to a closed journal: %v", err)
	}
	if err := w.j.Done(1, 1); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("Done in a closed journal: %v", err)
	}
	if err := w.confirm(1); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("Watch of a closed journal: %v", err)
	}
}

// TestPublishers appends from many goroutines, each waiting for its confirm, with little memory to wait in.
func TestPublishers(t *testing.T) {
	w := newWorld(t, journal.Options{SegmentSize: 20_000, MaxPending: 3000})
	var publishers sync.WaitGroup
	for p := range uint64(8) {
		publishers.Go(func() {
			for range 100 {
				id, err := w.j.Append([]uint64{p}, nil, make([]byte, 500))
				if err != nil {
					t.Errorf("Append: %v", err)
					return
				}
				c := make(waiter, 1)
				w.j.Watch(id, c)
				if r := <-c; r.err != nil || r.upTo < id {
					t.Errorf("Watch(%d) = %+v", id, r)
				}
				if _, _, err := w.j.Read(id); err != nil {
					t.Errorf("Read: %v", err)
				}
				if err := w.j.Done(p, id); err != nil {
					t.Errorf("Done: %v", err)
				}
			}
		})
	}
	publishers.Wait()
	eventually(t, "all but the head is removed", func() bool { return w.j.Stats().Segments == 1 })
	if st := w.j.Stats(); st.Syncs > st.Appended || st.Syncs == 0 || st.Messages != 0 {
		t.Errorf("stats %+v", st)
	}
	w.close()
}

// TestDoneIsFlushedWhenIdle kills the process some time after the last message was done.
func TestDoneIsFlushedWhenIdle(t *testing.T) {
	w := newWorld(t, journal.Options{})
	defer func() { w.close() }()
	must(t, w.confirm(w.fill(3, 10, 1)[2]))
	before := w.disk.Ops()
	w.done(1, 2)
	eventually(t, "the done record is written", func() bool { return w.disk.Ops() > before && w.j.Stats().Pending == 0 })
	w.kill()
	if got := w.live(1); !slices.Equal(got, []uint64{1, 3}) {
		t.Errorf("messages %v, want 1 and 3", got)
	}
}

// TestCompaction has one slow queue among fast ones: its stragglers must not pin the disk, also
// across crashes and reopening.
func TestCompaction(t *testing.T) {
	w := newWorld(t, journal.Options{SegmentSize: 10_000, CompactEvery: 2 * time.Millisecond})
	defer func() { w.close() }()
	r := rand.New(rand.NewPCG(1, 1))
	for round := range 6 {
		for range 200 {
			if r.IntN(20) == 0 {
				w.append(200, 1, 2)
			} else {
				w.append(200, 1)
			}
		}
		must(t, w.confirm(w.append(1, 1)))
		w.done(1, w.live(1)...)
		must(t, w.confirm(w.append(1, 1)))
		eventually(t, "the log is short", func() bool {
			st := w.j.Stats()
			return st.Bytes <= 2*st.LiveBytes+3*10_000
		})
		for _, id := range w.live(2) {
			w.read(id)
		}
		switch round % 3 {
		case 0:
			w.reopen()
		case 1:
			w.kill()
		case 2:
			w.powerCut(r)
		}
	}
	if len(w.live(2)) < 20 {
		t.Fatalf("only %d stragglers", len(w.live(2)))
	}
	w.done(2, w.live(2)...)
	w.done(1, w.live(1)...)
	must(t, w.confirm(w.append(9900, 1))) // does not fit in the head
	eventually(t, "only the newest are left", func() bool { return w.j.Stats().Segments <= 2 })
}

// TestIDsAreNotReused drains a journal and reopens it again and again.
func TestIDsAreNotReused(t *testing.T) {
	w := newWorld(t, journal.Options{SegmentSize: 1000})
	defer func() { w.close() }()
	last := uint64(0)
	for range 20 {
		id := w.fill(5, 300, 1)[0]
		if id != last+1 {
			t.Fatalf("id %d after %d", id, last)
		}
		last = id + 4
		w.done(1, w.live(1)...)
		w.reopen()
		w.reopen()
		if n := len(segments(t, w.disk)); n > 8 {
			t.Fatalf("%d segments of an empty journal", n)
		}
	}
}

// TestModel does what a broker might, in any order, with crashes.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, journal.Options{SegmentSize: 3000, CompactEvery: time.Millisecond})
		defer func() { w.close() }()
		queue := rapid.Uint64Range(1, 4)
		seed := rapid.Uint64()
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				queues := rapid.SliceOfNDistinct(queue, 1, 4, rapid.ID[uint64]).Draw(t, "queues")
				w.fill(rapid.IntRange(1, 20).Draw(t, "n"), rapid.IntRange(0, 600).Draw(t, "size"), queues...)
			},
			"confirm": func(t *rapid.T) { must(t, w.confirm(w.append(10, queue.Draw(t, "queue")))) },
			"done": func(t *rapid.T) {
				q := queue.Draw(t, "queue")
				if live := w.live(q); len(live) > 0 {
					from := rapid.IntRange(0, len(live)-1).Draw(t, "from")
					w.done(q, live[from:rapid.IntRange(from+1, len(live)).Draw(t, "to")]...)
				}
			},
			"read": func(t *rapid.T) {
				for _, id := range w.live(queue.Draw(t, "queue")) {
					w.read(id)
				}
			},
			"reopen":    func(*rapid.T) { w.reopen() },
			"kill":      func(*rapid.T) { w.kill() },
			"power cut": func(*rapid.T) { w.powerCut(nil) },
			"torn power cut": func(t *rapid.T) {
				s := seed.Draw(t, "seed")
				w.powerCut(rand.New(rand.NewPCG(s, s)))
			},
		})
	})
}
