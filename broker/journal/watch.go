package journal

import "slices"

// A Waiter is told when what it waits for is durable.
type Waiter interface {
	// Durable is called once, from the syncer: every message with an id up to upTo
	// is on stable storage. If err is not nil the disk failed, and what is behind upTo never will be. It
	// must not block.
	Durable(upTo uint64, err error)
}

type waiting struct {
	id uint64
	w  Waiter
}

// Watch has w told when the message with that id is durable, at once if it is already.
func (j *Journal) Watch(id uint64, w Waiter) {
	j.mu.Lock()
	failed := j.lost()
	wait := j.Durable() < id && failed == nil
	if wait {
		j.waiting = append(j.waiting, waiting{id, w})
	}
	upTo := j.Durable()
	j.mu.Unlock()
	switch {
	case wait:
	case upTo >= id:
		w.Durable(upTo, nil)
	default:
		w.Durable(upTo, failed)
	}
}

// tell tells those who wait for what is durable now or, when nothing more will be, all.
func (j *Journal) tell() {
	j.mu.Lock()
	upTo, failed := j.Durable(), j.lost()
	var due []waiting
	j.waiting = slices.DeleteFunc(j.waiting, func(w waiting) bool {
		gone := w.id <= upTo || failed != nil
		if gone {
			due = append(due, w)
		}
		return gone
	})
	j.changed.Broadcast()
	j.mu.Unlock()
	for _, w := range due {
		if w.id <= upTo {
			w.w.Durable(upTo, nil)
		} else {
			w.w.Durable(upTo, failed)
		}
	}
}

// lost returns why nothing more becomes durable.
func (j *Journal) lost() error {
	if j.failed == nil && j.ended {
		return ErrClosed
	}
	return j.failed
}
