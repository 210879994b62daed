package vhost

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"time"

	"thump/broker/amqp"
)

// Expiry. A message dies at the head of its queue, as in RabbitMQ: one that has
// outlived its time waits for those in front. A queue with x-expires dies when it
// was not used for so long.

// readExpiration reads the property expiration, if the message has one.
func (m *Message) readExpiration() error {
	if len(m.Header) < 2 || amqp.PropertyFlags(binary.BigEndian.Uint16(m.Header))&amqp.FlagExpiration == 0 {
		return nil
	}
	p, err := amqp.ParseProperties(m.Header)
	if err != nil {
		return amqp.ConnectionError(amqp.SyntaxError, "cannot decode properties: %s", err)
	}
	ms, err := strconv.ParseInt(p.Expiration, 10, 64)
	problem := ""
	switch {
	case err != nil:
		problem = "no_integer"
	case ms < 0:
		problem = fmt.Sprintf("{value_negative,%d}", ms)
	case ms > maxPeriod:
		problem = fmt.Sprintf("{value_too_large,%d}", ms)
	}
	if problem != "" {
		return amqp.ChannelError(amqp.PreconditionFailed, "invalid expiration '%s': %s", p.Expiration, problem)
	}
	m.stamp()
	m.expires = m.published + ms
	return nil
}

// stamp notes the time of publish.
func (m *Message) stamp() {
	if m.published == 0 {
		m.published = time.Now().UnixMilli()
	}
}

// aging watches the head of a line. It is guarded by Queue.mu.
type aging struct {
	possible bool // some message in the line may expire, whatever the queue's rules
	timer    *time.Timer

	head     entry // the entry that deadline is of
	deadline int64 // ms since 1970
}

func (a *aging) stop() {
	if a.timer != nil {
		a.timer.Stop()
	}
}

// ages says whether messages of the queue may expire.
func (q *Queue) ages() bool { return q.rules.messageTTL != unlimited || q.aging.possible }

// deadline returns when a message of the queue expires, ms since 1970.
func (q *Queue) deadline(m *Message) int64 {
	deadline := int64(unlimited)
	if m.expires != 0 {
		deadline = m.expires
	}
	if q.rules.messageTTL != unlimited {
		deadline = min(deadline, m.published+q.rules.messageTTL)
	}
	return deadline
}

// expired says whether a message has outlived its time.
func (q *Queue) expired(m *Message) bool {
	if !q.ages() {
		return false
	}
	deadline := q.deadline(m)
	return deadline != unlimited && deadline <= time.Now().UnixMilli()
}

func (q *Queue) expire(e entry, spill *[]casualty) {
	q.counts.Expired++
	*spill = append(*spill, casualty{queue: q, entry: e, reason: expired})
}

// age drops from the head what has expired and sets the timer for what is next.
func (q *Queue) age(spill *[]casualty) {
	if !q.ages() || q.deleted {
		return
	}
	for q.line.len() > 0 {
		if err := q.meetHead(); isLost(err) {
			q.lose(q.line.take().entry, err)
			continue
		} else if err != nil {
			q.retryLater(err)
			return
		}
		wait := q.aging.deadline - time.Now().UnixMilli()
		if wait > 0 {
			q.awaken(wait)
			return
		}
		q.expire(q.line.take().entry, spill)
	}
	q.aging.stop()
	q.aging.possible, q.aging.head = false, entry{}
}

// meetHead learns the deadline of the first entry, which may take a read from
// the journal.
func (q *Queue) meetHead() error {
	head := q.line.head()
	if head == q.aging.head {
		return nil
	}
	m, err := q.load(head)
	if err != nil {
		return err
	}
	q.aging.head, q.aging.deadline = head, q.deadline(m)
	return nil
}

// begin starts the clocks of a restored queue.
func (q *Queue) begin() {
	var spill []casualty
	q.mu.Lock()
	q.use()
	q.age(&spill)
	q.mu.Unlock()
	q.vhost.bury(spill)
}

// awaken lets age run again in so many ms.
func (q *Queue) awaken(wait int64) {
	if q.aging.deadline == unlimited {
		q.aging.stop()
		return
	}
	after := time.Duration(wait) * time.Millisecond
	if q.aging.timer != nil {
		q.aging.timer.Reset(after)
		return
	}
	q.aging.timer = q.vhost.after(after, func() {
		var spill []casualty
		q.mu.Lock()
		q.age(&spill)
		q.mu.Unlock()
		q.vhost.bury(spill)
	})
}

// lease is the life of a queue with x-expires. It is guarded by Queue.mu.
type lease struct {
	timer *time.Timer
	used  time.Time // last
}

func (l *lease) stop() {
	if l.timer != nil {
		l.timer.Stop()
	}
}

// use renews the lease of a queue. Consumers hold it as long as they are there.
func (q *Queue) use() {
	if q.rules.lease == unlimited || q.deleted {
		return
	}
	q.lease.used = time.Now()
	term := time.Duration(q.rules.lease) * time.Millisecond
	if q.lease.timer != nil {
		q.lease.timer.Reset(term)
		return
	}
	q.lease.timer = q.vhost.after(term, func() {
		ended := func() bool { // the term may be another by now
			return time.Since(q.lease.used).Milliseconds() >= q.rules.lease
		}
		if err := q.vhost.deleteIf(q, ended); err != nil {
			q.vhost.log.Error("cannot delete expired queue", "vhost", q.vhost.cfg.Name, "queue", q.spec.Name, "err", err)
		}
	})
}

// after runs f in a while, unless the virtual host is closed by then.
func (v *VHost) after(d time.Duration, f func()) *time.Timer {
	return time.AfterFunc(d, func() {
		v.life.RLock()
		defer v.life.RUnlock()
		if !v.closed {
			f()
		}
	})
}
