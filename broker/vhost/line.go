package vhost

// line holds the ready messages of a queue in order: first those that were put
// back, by their position, then the fresh ones, which were never taken. An entry
// gets its position when it is first taken, so whatever was put back is older
// than all that is fresh. That gives requeue to the original position without
// a position in each waiting entry.
//
// A queue with x-max-priority has one such lane for each priority; the highest
// one that is not empty goes first. All others have the one of priority 0.
type line struct {
	lane         // of priority 0
	above []lane // of the priorities from 1
	ready int    // entries in all lanes
	taken uint64 // position of the next fresh entry
	bytes int64  // of the bodies
}

// lane is the entries of one priority.
type lane struct {
	back  []placed // a binary heap by position
	fresh fifo
}

// of returns the lane of an entry.
func (l *line) of(priority uint8) *lane {
	if int(priority) > len(l.above) { // a policy cannot take lanes away
		priority = uint8(len(l.above))
	}
	if priority == 0 {
		return &l.lane
	}
	return &l.above[priority-1]
}

// first returns the lane that goes first. The line must not be empty.
func (l *line) first() *lane {
	for i := len(l.above) - 1; i >= 0; i-- {
		if l.above[i].len() > 0 {
			return &l.above[i]
		}
	}
	return &l.lane
}

// placed is an entry that has been taken at least once.
type placed struct {
	entry
	at uint64
}

func (l *lane) len() int { return len(l.back) + l.fresh.len }

func (l *line) len() int { return l.ready }

func (l *line) push(e entry) {
	l.of(e.priority).fresh.push(e)
	l.ready++
	l.bytes += int64(e.size)
}

// head returns the first entry. The line must not be empty.
func (l *line) head() entry {
	first := l.first()
	if len(first.back) > 0 {
		return first.back[0].entry
	}
	return first.fresh.head.entries[first.fresh.first]
}

// take removes the first entry. The line must not be empty.
func (l *line) take() placed {
	var p placed
	if first := l.first(); len(first.back) > 0 {
		p = first.pop()
	} else {
		p = placed{entry: first.fresh.pop(), at: l.pass()}
	}
	l.ready--
	l.bytes -= int64(p.size)
	return p
}

// pass returns the position of a message that goes through without waiting.
func (l *line) pass() uint64 {
	l.taken++
	return l.taken
}

// putBack returns an entry to where it was taken.
func (l *line) putBack(p placed) {
	l.ready++
	l.bytes += int64(p.size)
	l.of(p.priority).putBack(p)
}

func (l *lane) putBack(p placed) {
	l.back = append(l.back, p)
	for i := len(l.back) - 1; i > 0; {
		parent := (i - 1) / 2
		if l.back[parent].at < l.back[i].at {
			return
		}
		l.back[parent], l.back[i] = l.back[i], l.back[parent]
		i = parent
	}
}

// pop removes the lowest position from the heap.
func (l *lane) pop() placed {
	first := l.back[0]
	last := len(l.back) - 1
	l.back[0], l.back[last] = l.back[last], placed{}
	l.back = l.back[:last]
	for i := 0; ; {
		child := 2*i + 1
		if child+1 < last && l.back[child+1].at < l.back[child].at {
			child++
		}
		if child >= last || l.back[i].at < l.back[child].at {
			break
		}
		l.back[i], l.back[child] = l.back[child], l.back[i]
		i = child
	}
	if last == 0 {
		l.back = nil
	}
	return first
}

// Sizes of a fifo's chunks, in entries.
const (
	firstChunk = 16
	maxChunk   = 1024
)

// fifo is a queue of entries in a chain of chunks, so that a long one neither
// moves its entries to grow nor keeps memory that it no longer needs.
type fifo struct {
	head, tail *chunk
	first      int // index of the first entry in head
	len        int
}

type chunk struct {
	entries []entry
	next    *chunk
}

func (f *fifo) push(e entry) {
	switch {
	case f.tail == nil:
		f.tail = &chunk{entries: make([]entry, 0, firstChunk)}
		f.head = f.tail
	case len(f.tail.entries) == cap(f.tail.entries):
		f.tail.next = &chunk{entries: make([]entry, 0, min(2*cap(f.tail.entries), maxChunk))}
		f.tail = f.tail.next
	}
	f.tail.entries = append(f.tail.entries, e)
	f.len++
}

func (f *fifo) pop() entry {
	e := f.head.entries[f.first]
	f.head.entries[f.first] = entry{}
	f.first++
	f.len--
	if f.first == len(f.head.entries) {
		f.first = 0
		if f.head == f.tail {
			f.head.entries = f.head.entries[:0]
		} else {
			f.head = f.head.next
		}
	}
	return e
}
