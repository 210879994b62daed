package vhost

import (
	"errors"
	"time"

	"thump/broker/journal"
)

// Messages that the journal does not give back. One that is gone for good leaves
// its queue, so that those behind it go on. When the disk does not answer, the
// queue waits and tries again.

// retryEvery is how often a queue tries to read its first message, beside on
// every event.
const retryEvery = time.Second

// retrial is guarded by Queue.mu.
type retrial struct {
	pending bool   // a timer runs
	told    uint64 // the message whose failure was last logged
}

// isLost says whether a failure to load means that the message can never be read.
func isLost(err error) bool {
	return errors.Is(err, journal.ErrNotFound) || errors.Is(err, journal.ErrDamaged)
}

// takeReadable takes the first message that is not lost; nil: none is left. With
// an error the message stays where it was.
func (q *Queue) takeReadable() (placed, *Message, error) {
	for q.line.len() > 0 {
		p := q.line.take()
		m, err := q.load(p.entry)
		switch {
		case err == nil:
			return p, m, nil
		case !isLost(err):
			q.line.putBack(p)
			return placed{}, nil, err
		}
		q.lose(p.entry, err)
	}
	return placed{}, nil, nil
}

// lose ends an entry, which has left the line, because its message is lost.
func (q *Queue) lose(e entry, cause error) {
	q.mourn(e, cause)
	q.forget(e)
}

// mourn counts and logs the loss of a message.
func (q *Queue) mourn(e entry, cause error) {
	q.vhost.cfg.Unreadable()
	q.vhost.log.Error("message cannot be read from the journal and is dropped",
		"vhost", q.vhost.cfg.Name, "queue", q.spec.Name, "message", e.id, "err", cause)
}

// retryLater has the queue try again to read its first message.
func (q *Queue) retryLater(cause error) {
	if head := q.line.head().id; q.retrial.told != head {
		q.retrial.told = head
		q.vhost.log.Error("message cannot be read from the journal now; its queue waits",
			"vhost", q.vhost.cfg.Name, "queue", q.spec.Name, "message", head, "err", cause)
	}
	if q.retrial.pending {
		return
	}
	q.retrial.pending = true
	q.vhost.after(retryEvery, func() {
		var spill []casualty
		q.mu.Lock()
		q.retrial.pending = false
		q.dispatch(&spill)
		q.mu.Unlock()
		q.vhost.bury(spill)
	})
}
