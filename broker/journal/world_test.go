package journal_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"thump/broker/journal"
	"thump/internal/vfs"
	"thump/internal/vfs/faulty"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const dir = "/data/journal"

// fatal is what *testing.T, *testing.B and *rapid.T have in common.
type fatal interface {
	Helper()
	Fatalf(format string, args ...any)
}

func must(t fatal, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v", err)
	}
}

// A world is a journal on a disk in memory, and what is known of the messages in it.
type world struct {
	t       fatal
	disk    *faulty.FS
	o       journal.Options
	j       *journal.Journal
	sent    map[uint64]message
	durable uint64               // the newest that the journal said is durable
	returns map[[2]uint64]uint16 // by queue and message: how often it was put back
}

type message struct {
	header, body []byte
	queues       map[uint64]state
}

// state is what is known of a message in a queue.
type state struct {
	done bool
	next uint64 // id of the first message after it was done: if that is durable, so is being done
}

func newWorld(t fatal, o journal.Options) *world {
	w := &world{t: t, disk: faulty.New(), o: o, sent: map[uint64]message{}, returns: map[[2]uint64]uint16{}}
	w.open()
	return w
}

func (w *world) open() {
	w.t.Helper()
	j, err := journal.Open(dir, w.options())
	must(w.t, err)
	w.j = j
}

func (w *world) options() journal.Options {
	o := w.o
	o.FS = w.disk
	return o
}

// tryAppend appends a message of which every byte says whose it is.
func (w *world) tryAppend(size int, queues ...uint64) (uint64, error) {
	n := len(w.sent)
	m := message{
		header: fmt.Appendf(nil, "header %d", n),
		body:   bytes.Repeat(fmt.Appendf(nil, "body %d.", n), 1+size/7)[:size],
		queues: map[uint64]state{},
	}
	for _, q := range queues {
		m.queues[q] = state{}
	}
	id, err := w.j.Append(queues, m.header, m.body)
	if err == nil {
		w.sent[id] = m
		for _, q := range queues { // the id of a message that a crash took may be given again
			delete(w.returns, [2]uint64{q, id})
		}
	}
	return id, err
}

func (w *world) append(size int, queues ...uint64) uint64 {
	w.t.Helper()
	id, err := w.tryAppend(size, queues...)
	must(w.t, err)
	return id
}

// fill appends n messages and returns their ids.
func (w *world) fill(n, size int, queues ...uint64) (ids []uint64) {
	w.t.Helper()
	for range n {
		ids = append(ids, w.append(size, queues...))
	}
	return ids
}

func (w *world) done(queue uint64, ids ...uint64) {
	w.t.Helper()
	w.note(queue, ids...)
	must(w.t, w.j.Done(queue, ids...))
}

// note notes that messages are about to leave a queue.
func (w *world) note(queue uint64, ids ...uint64) {
	for _, id := range ids {
		if s, in := w.sent[id].queues[queue]; in && !s.done {
			w.sent[id].queues[queue] = state{done: true, next: slices.Max(slices.Collect(maps.Keys(w.sent))) + 1}
		}
	}
}

type waiter chan result

type result struct {
	upTo uint64
	err  error
}

func (w waiter) Durable(upTo uint64, err error) { w <- result{upTo, err} }

// confirm waits until a message is durable.
func (w *world) confirm(id uint64) error {
	w.t.Helper()
	c := make(waiter, 1)
	w.j.Watch(id, c)
	select {
	case r := <-c:
		w.durable = max(w.durable, r.upTo)
		if (r.err == nil) != (r.upTo >= id) {
			w.t.Fatalf("watching %d: durable up to %d, error %v", id, r.upTo, r.err)
		}
		return r.err
	case <-time.After(10 * time.Second):
		w.t.Fatalf("message %d is neither confirmed nor refused", id)
		return nil
	}
}

func (w *world) close() {
	w.t.Helper()
	must(w.t, w.j.Close())
	w.durable = max(w.durable, w.j.Durable())
}

// reopen closes the journal and opens it: all is as it was.
func (w *world) reopen() {
	w.t.Helper()
	w.close()
	w.open()
	w.check(true)
}

// crash cuts the power, or kills the process, and opens the journal on what is left.
func (w *world) crash(cut func() *faulty.FS) {
	w.t.Helper()
	w.durable = max(w.durable, w.j.Durable())
	disk := cut()
	_ = w.j.Close() // fails: its disk is gone
	w.disk = disk
	w.open()
	w.check(false)
	if st := w.j.Stats(); st.Damaged > 0 {
		w.t.Fatalf("%d regions damaged by a crash", st.Damaged)
	}
}

func (w *world) powerCut(r *rand.Rand) {
	w.t.Helper()
	w.crash(func() *faulty.FS { return w.disk.PowerCut(r) })
}

func (w *world) kill() {
	w.t.Helper()
	w.crash(w.disk.Kill)
}

// check compares what was recovered with what was sent. After a crash messages that were not confirmed
// may be missing, and what was done and not confirmed may be undone; what is there is what is known from then on.
func (w *world) check(closed bool) {
	w.t.Helper()
	there := map[uint64]map[uint64]bool{}
	for queue := range w.queues() {
		there[queue] = map[uint64]bool{}
		last := uint64(0)
		for _, e := range w.j.Recovered(queue) {
			m, sent := w.sent[e.ID]
			if _, routed := m.queues[queue]; !sent || !routed || e.ID <= last || int(e.Size) != len(m.header)+len(m.body) {
				w.t.Fatalf("queue %d recovered %+v behind %d, sent %v, routed %v", queue, e, last, sent, routed)
			}
			w.checkReturned(closed, queue, e)
			last = e.ID
			there[queue][e.ID] = true
			w.read(e.ID)
		}
	}
	for id, m := range w.sent {
		for queue, s := range m.queues {
			w.checkOne(closed, id, queue, s, there[queue][id])
		}
	}
}

func (w *world) queues() map[uint64]bool {
	queues := map[uint64]bool{}
	for _, m := range w.sent {
		for q := range m.queues {
			queues[q] = true
		}
	}
	return queues
}

func (w *world) checkOne(closed bool, id, queue uint64, s state, there bool) {
	w.t.Helper()
	durable := closed || id <= w.durable
	doneDurable := s.done && (closed || s.next <= w.durable)
	switch {
	case !s.done && durable && !there:
		w.t.Fatalf("message %d of queue %d was confirmed (all up to %d) and is lost", id, queue, w.durable)
	case doneDurable && there:
		w.t.Fatalf("message %d had left queue %d before %d, all up to %d were confirmed, and it is there again", id, queue, s.next, w.durable)
	case there:
		w.sent[id].queues[queue] = state{}
	default:
		w.sent[id].queues[queue] = state{done: true}
	}
}

func (w *world) read(id uint64) {
	w.t.Helper()
	m := w.sent[id]
	header, body, err := w.j.Read(id)
	if err != nil || !bytes.Equal(header, m.header) || !bytes.Equal(body, m.body) {
		w.t.Fatalf("Read(%d) = %.40q, %.40q, %v, want %.40q, %.40q", id, header, body, err, m.header, m.body)
	}
}

// live returns the messages in a queue.
func (w *world) live(queue uint64) (ids []uint64) {
	for id, m := range w.sent {
		if s, in := m.queues[queue]; in && !s.done {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// eventually waits until something is so.
func eventually(t fatal, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

// segments returns the names of the journal's files.
func segments(t fatal, disk vfs.FS) (names []string) {
	t.Helper()
	all, err := disk.ReadDir(dir)
	must(t, err)
	for _, name := range all {
		if len(name) > 4 && name[len(name)-4:] == ".seg" {
			names = append(names, name)
		}
	}
	return names
}
