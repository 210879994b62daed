package journal_test

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"

	"thump/broker/journal"
	"thump/internal/vfs"
	"thump/internal/vfs/faulty"
)

// onDisk returns a world of messages that are all on disk, and their ids.
func onDisk(t *testing.T) (w *world, ids []uint64) {
	w = newWorld(t, journal.Options{SegmentSize: 1 << 20})
	for i := range 2000 {
		switch {
		case i%500 == 250:
			ids = append(ids, w.append(200<<10, 1)) // more than is read ahead
		default:
			ids = append(ids, w.append(100+i, 1))
		}
	}
	must(t, w.confirm(ids[len(ids)-1]))
	w.close()
	w.open()
	return w, ids
}

// TestReadAhead reads messages in order, which takes few reads of the disk, and in others.
func TestReadAhead(t *testing.T) {
	w, ids := onDisk(t)
	defer w.close()
	var reads atomic.Int64
	w.disk.Fail(func(op faulty.Op) *faulty.Fault {
		if op.Kind == faulty.Read {
			reads.Add(1)
		}
		return nil
	})
	for _, id := range ids {
		w.read(id)
	}
	if n := reads.Load(); n > int64(len(ids)/10) {
		t.Errorf("%d reads of the disk for %d messages", n, len(ids))
	}
	for i := range ids { // two that read in turns, and one backwards
		w.read(ids[i])
		w.read(ids[(i+len(ids)/2)%len(ids)])
		w.read(ids[len(ids)-1-i])
	}
}

// TestReadAheadOfDamage damages messages under the journal: only these are lost.
func TestReadAheadOfDamage(t *testing.T) {
	w, ids := onDisk(t)
	defer w.close()
	name := segmentFiles(t, w.disk)[0].name
	messages := segmentFiles(t, w.disk)[0].messages
	f, err := w.disk.Open(name)
	must(t, err)
	hit, cut := 20, len(messages)-20
	b, err := vfs.ReadFile(w.disk, name)
	must(t, err)
	at := messages[hit+1].Offset - 1
	_, err = f.WriteAt(flip(slices.Clone(b[:at+1]), at)[at:], at)
	must(t, errors.Join(err, f.Truncate(messages[cut].Offset+50)))
	for i, id := range ids {
		if lost := i == hit || cut <= i && i < len(messages); !lost {
			w.read(id)
		} else if _, _, err := w.j.Read(id); !errors.Is(err, journal.ErrDamaged) {
			t.Fatalf("message %d of %d in the segment: %v", i, len(messages), err)
		}
	}
}
