package spool_test

import (
	"testing"

	"pgregory.net/rapid"

	"thump/agent/spool"
	"thump/internal/vfs/faulty"
)

// TestModel does random things with a spool and checks after each start of the
// process, and at the end, that every batch is accounted for: delivered, counted
// as dropped, or still there, and delivered only once while nothing is lost.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := model{disk: faulty.New(), state: map[string]int{}}
		m.open(t)
		t.Repeat(map[string]func(*rapid.T){
			"append":  m.append,
			"next":    m.next,
			"release": m.release,
			"done":    m.done,
			"sync":    m.sync,
			"full":    m.full,
			"kill":    m.kill,
			"":        m.check,
		})
		m.kill(t)
	})
}

// States of a batch in the model.
const (
	there = iota
	delivered
)

type model struct {
	disk  *faulty.FS
	s     *spool.Spool
	n     int
	state map[string]int // of what this process could still be asked for
	taken []spool.Ref
	ids   []string // of taken

	isFull, wasFull bool // the disk: now, and since this process began
}

func (m *model) open(t *rapid.T) {
	s, err := spool.Open(dir, spool.Options{FS: m.disk, MaxBytes: spool.MinBytes, Logger: silent})
	if err != nil {
		t.Fatal(err)
	}
	m.s, m.taken, m.ids = s, nil, nil
}

func (m *model) append(t *rapid.T) {
	m.n++
	b := batch(m.n, rapid.IntRange(0, 60_000).Draw(t, "size"))
	m.state[b.ID] = there
	m.taken, m.ids = append(m.taken, m.s.Append(b)), append(m.ids, b.ID)
}

func (m *model) next(t *rapid.T) {
	r, b, ok := m.s.Next()
	if !ok {
		return
	}
	if s, known := m.state[b.ID]; !known || s != there {
		t.Fatalf("%s comes again: known %v, state %d", b.ID, known, s)
	}
	for _, id := range m.ids {
		if id == b.ID {
			t.Fatalf("%s is taken twice", id)
		}
	}
	m.taken, m.ids = append(m.taken, r), append(m.ids, b.ID)
}

func (m *model) pick(t *rapid.T) (spool.Ref, string, bool) {
	if len(m.taken) == 0 {
		return spool.Ref{}, "", false
	}
	i := rapid.IntRange(0, len(m.taken)-1).Draw(t, "which")
	r, id := m.taken[i], m.ids[i]
	m.taken, m.ids = append(m.taken[:i:i], m.taken[i+1:]...), append(m.ids[:i:i], m.ids[i+1:]...)
	return r, id, true
}

func (m *model) release(t *rapid.T) {
	if r, _, ok := m.pick(t); ok {
		m.s.Release(r)
	}
}

func (m *model) done(t *rapid.T) {
	if r, id, ok := m.pick(t); ok {
		m.s.Done(r)
		m.state[id] = delivered
	}
}

func (m *model) sync(t *rapid.T) {
	if err := m.s.Sync(); err != nil {
		t.Fatal(err)
	}
}

// full fills the disk, or makes room again.
func (m *model) full(*rapid.T) {
	if m.isFull = !m.isFull; m.isFull {
		m.wasFull = true
		m.disk.SetCapacity(max(1, m.disk.Used()))
	} else {
		m.disk.SetCapacity(0)
	}
}

func (m *model) check(t *rapid.T) {
	st := m.s.Stats()
	if st.Bytes > spool.MinBytes || st.Waiting > st.Batches || st.Batches < 0 {
		t.Fatalf("stats %+v", st)
	}
	if used := m.disk.Used(); st.Bytes != used {
		t.Fatalf("says %d bytes, the disk has %d", st.Bytes, used)
	}
}

// kill gives back all that is taken, counts, and starts anew.
func (m *model) kill(t *rapid.T) {
	for _, r := range m.taken {
		m.s.Release(r)
	}
	remaining := map[string]bool{}
	for {
		_, b, ok := m.s.Next()
		if !ok {
			break
		}
		if m.state[b.ID] == delivered || remaining[b.ID] {
			t.Fatalf("%s comes again", b.ID)
		}
		remaining[b.ID] = true
	}
	undelivered := 0
	for _, s := range m.state {
		if s == there {
			undelivered++
		}
	}
	if dropped := int(m.s.Stats().Dropped); undelivered != len(remaining)+dropped {
		t.Fatalf("%d undelivered, but %d there and %d dropped", undelivered, len(remaining), dropped)
	}
	m.restart(t, remaining)
}

// restart opens the spool again after a kill. What remained comes back; if the
// disk was full meanwhile, some may be lost and some delivered come again.
func (m *model) restart(t *rapid.T, remaining map[string]bool) {
	m.disk = m.disk.Kill()
	m.open(t)
	m.state = map[string]int{}
	var taken []spool.Ref
	for {
		r, b, ok := m.s.Next()
		if !ok {
			break
		}
		if _, again := m.state[b.ID]; again {
			t.Fatalf("%s is there twice", b.ID)
		}
		if !remaining[b.ID] && !m.wasFull {
			t.Fatalf("%s is there after a restart, but was not before", b.ID)
		}
		m.state[b.ID] = there
		taken = append(taken, r)
	}
	if len(m.state) != len(remaining) && !m.wasFull {
		t.Fatalf("%d after a restart, %d before", len(m.state), len(remaining))
	}
	for _, r := range taken {
		m.s.Release(r)
	}
	m.isFull, m.wasFull = false, false
}
