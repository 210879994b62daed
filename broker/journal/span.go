package journal

import (
	"slices"
	"sort"
)

// A span is the index of a range of ids: where each message's record is and which of its
// queues still have it. It begins dense, with an entry per id, all in the segment to which
// they were appended. Once compaction moves some, each entry says its segment, and when
// the home segment is removed only the ids that live elsewhere keep an entry.
//
// An entry stays for as long as a record of it may be on disk, be it dead. Slices hold no
// pointers: the garbage collector does not look at them.
type span struct {
	base uint64
	home *segment // of a dense span whose at is nil

	off  []uint32
	set  []uint32 // in sets
	mask []uint16 // bit k: the k-th queue of the set has it; of a wide set, 1: one has it
	ids  []uint32 // id - base, ascending; nil: entry i has id base+i
	at   []uint32 // segment; nil: all in home
	size []uint32 // of the record; nil: up to the next one's offset

	messageSizes []uint32 // of header and body, by entry; only during recovery

	sets queueSets
	wide map[int][]uint64 // the masks of entries with more than 16 queues
}

const narrow = 16

func (s *span) len() int { return len(s.off) }

func (s *span) id(i int) uint64 {
	if s.ids == nil {
		return s.base + uint64(i)
	}
	return s.base + uint64(s.ids[i])
}

func (s *span) find(id uint64) (i int, ok bool) {
	if id < s.base {
		return 0, false
	}
	if s.ids == nil {
		return int(id - s.base), id-s.base < uint64(s.len())
	}
	if id-s.base > 1<<32-1 {
		return 0, false
	}
	return slices.BinarySearch(s.ids, uint32(id-s.base))
}

// add adds an entry at the end of a dense span.
func (s *span) add(off uint32, queues []uint64) {
	s.off = append(s.off, off)
	s.set = append(s.set, 0)
	s.mask = append(s.mask, 0)
	s.setQueues(s.len()-1, queues)
}

func (s *span) setQueues(i int, queues []uint64) {
	s.set[i] = s.sets.intern(queues)
	n := len(s.sets.get(s.set[i]))
	if n <= narrow {
		s.mask[i] = 1<<n - 1
		return
	}
	if s.wide == nil {
		s.wide = map[int][]uint64{}
	}
	bits := make([]uint64, (n+63)/64)
	for k := range n {
		bits[k/64] |= 1 << (k % 64)
	}
	s.mask[i], s.wide[i] = 1, bits
}

func (s *span) alive(i int) bool { return s.mask[i] != 0 }

// has tells whether the k-th queue of entry i has the message.
func (s *span) has(i, k int) bool {
	if bits := s.wide[i]; bits != nil {
		return bits[k/64]&(1<<(k%64)) != 0
	}
	return s.mask[i]&(1<<k) != 0
}

// holds tells whether entry i is in a queue.
func (s *span) holds(i int, queue uint64) bool {
	k := slices.Index(s.sets.get(s.set[i]), queue)
	return k >= 0 && s.alive(i) && s.has(i, k)
}

// clear takes the message out of a queue. It returns false if it was not in it.
func (s *span) clear(i int, queue uint64) bool {
	if !s.holds(i, queue) {
		return false
	}
	k := slices.Index(s.sets.get(s.set[i]), queue)
	bits := s.wide[i]
	if bits == nil {
		s.mask[i] &^= 1 << k
		return true
	}
	bits[k/64] &^= 1 << (k % 64)
	if !slices.ContainsFunc(bits, func(w uint64) bool { return w != 0 }) {
		s.mask[i] = 0
		delete(s.wide, i)
	}
	return true
}

// appendQueues appends the queues that have the message.
func (s *span) appendQueues(dst []uint64, i int) []uint64 {
	if !s.alive(i) {
		return dst
	}
	for k, q := range s.sets.get(s.set[i]) {
		if s.has(i, k) {
			dst = append(dst, q)
		}
	}
	return dst
}

// sizeOf returns an upper limit of the size of the record, the one that is counted: up to
// the next message. It is 0 for the last of a segment that is not sealed.
func (s *span) sizeOf(i int) int64 {
	switch {
	case s.size != nil:
		return int64(s.size[i])
	case i+1 < s.len():
		return int64(s.off[i+1] - s.off[i])
	case s.home.sealed:
		return s.home.size - int64(s.off[i])
	}
	return 0
}

func (s *span) seqOf(i int) uint32 {
	if s.at != nil {
		return s.at[i]
	}
	return s.home.seq
}

// spread lets each entry have a segment of its own.
func (s *span) spread() {
	if s.at != nil {
		return
	}
	at, size := make([]uint32, s.len()), make([]uint32, s.len())
	for i := range at {
		at[i], size[i] = s.home.seq, uint32(s.sizeOf(i))
	}
	s.at, s.size = at, size
}

// move says that the newest record of entry i is now elsewhere.
func (s *span) move(i int, seq, off, size uint32) {
	s.at[i], s.off[i], s.size[i] = seq, off, size
}

// without returns the span without the entries of a segment that is gone, nil if none is left.
func (s *span) without(seq uint32) *span {
	if s.at == nil {
		if s.home.seq == seq {
			return nil
		}
		return s
	}
	if !slices.Contains(s.at, seq) {
		return s
	}
	kept := &span{base: s.base, ids: []uint32{}, at: []uint32{}, size: []uint32{}}
	var queues []uint64
	for i := range s.off {
		if s.at[i] != seq {
			queues = s.appendQueues(queues[:0], i)
			kept.put(s.id(i), queues, s.at[i], s.off[i], s.size[i])
		}
	}
	if kept.len() == 0 {
		return nil
	}
	return kept
}

// put adds an entry at the end of a span that is not dense.
func (s *span) put(id uint64, queues []uint64, seq, off, size uint32) {
	s.ids = append(s.ids, uint32(id-s.base))
	s.at = append(s.at, seq)
	s.size = append(s.size, size)
	s.add(off, queues)
}

// clip gives memory back that was kept for growing.
func (s *span) clip() {
	s.off, s.set, s.mask = slices.Clone(s.off), slices.Clone(s.set), slices.Clone(s.mask)
	s.sets.index = nil
}

// spans are ordered by id and do not overlap.
type spans []*span

// find returns the entry of an id, a nil span if there is none.
func (s spans) find(id uint64) (*span, int) {
	k := len(s) - 1
	if k >= 0 && id < s[k].base {
		k = sort.Search(k, func(k int) bool { return s[k].base > id }) - 1
	}
	if k < 0 {
		return nil, 0
	}
	i, ok := s[k].find(id)
	if !ok {
		return nil, 0
	}
	return s[k], i
}
