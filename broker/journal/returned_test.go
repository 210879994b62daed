package journal_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"thump/broker/journal"
)

// tryReturned notes that messages were put back.
func (w *world) tryReturned(queue uint64, count uint16, ids ...uint64) error {
	var returns []journal.Return
	for _, id := range ids {
		returns = append(returns, journal.Return{ID: id, Count: count})
		if _, in := w.sent[id].queues[queue]; in {
			w.returns[[2]uint64{queue, id}] = count
		}
	}
	return w.j.Returned(queue, returns...)
}

func (w *world) returned(queue uint64, count uint16, ids ...uint64) {
	w.t.Helper()
	must(w.t, w.tryReturned(queue, count, ids...))
}

// checkReturned compares the count of a recovered message with what was noted. A crash may have taken it.
func (w *world) checkReturned(closed bool, queue uint64, e journal.Entry) {
	w.t.Helper()
	at := [2]uint64{queue, e.ID}
	if want := w.returns[at]; e.Returned > want || closed && e.Returned != want {
		w.t.Fatalf("message %d was put back into queue %d %d times, recovered %d", e.ID, queue, want, e.Returned)
	}
	w.returns[at] = e.Returned
}

// wantReturned restarts and expects the counts of messages in queue 1.
func (w *world) wantReturned(restart func(), want map[uint64]uint16) {
	w.t.Helper()
	restart()
	for id, count := range want {
		if got := w.returns[[2]uint64{1, id}]; got != count {
			w.t.Fatalf("message %d was put back %d times, want %d", id, got, count)
		}
	}
}

// TestReturned counts on after every kind of restart, for each queue by itself.
func TestReturned(t *testing.T) {
	w := newWorld(t, journal.Options{CompactEvery: time.Hour})
	ids := w.fill(3000, 10, 1, 2)
	w.returned(1, 1, ids...)
	w.returned(1, 2, ids[0])
	w.returned(2, 9, ids[1])
	w.returned(3, 9, ids[1])    // is not in that queue
	w.returned(1, 9, 1_000_000) // nor is that a message
	w.done(1, ids[2])
	want := map[uint64]uint16{ids[0]: 2, ids[1]: 1, ids[2999]: 1}
	w.wantReturned(w.reopen, want)
	w.returned(1, 3, ids[0])
	want[ids[0]] = 3
	must(t, w.confirm(w.append(10, 1))) // what was noted before is durable with it
	w.wantReturned(w.kill, want)
	w.wantReturned(func() { w.powerCut(nil) }, want)
	w.wantReturned(func() { w.powerCut(rand.New(rand.NewPCG(1, 1))) }, want)
	w.close()
}

// TestReturnedOutliveTheirSegment has the segment with the notes compacted and removed.
func TestReturnedOutliveTheirSegment(t *testing.T) {
	w := newWorld(t, journal.Options{SegmentSize: 4000, CompactEvery: time.Millisecond})
	slow := w.append(100, 1)
	w.returned(1, 7, slow)
	other := w.append(100, 2)
	must(t, w.confirm(other))
	first := segments(t, w.disk)[0]
	eventually(t, "the first segment is gone", func() bool {
		w.done(2, w.fill(20, 300, 2)...)
		return segments(t, w.disk)[0] != first
	})
	if st := w.j.Stats(); st.Compacted == 0 {
		t.Errorf("nothing was compacted: %+v", st)
	}
	w.wantReturned(w.reopen, map[uint64]uint16{slow: 7})
	w.done(1, slow)
	w.done(2, other)
	eventually(t, "all but the newest segments are gone", func() bool {
		w.done(2, w.fill(20, 300, 2)...)
		return w.j.Stats().Messages == 0 && len(segments(t, w.disk)) < 12
	})
	w.close()
}
