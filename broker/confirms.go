package broker

import "thump/broker/amqp"

// confirms keeps what a channel in confirm mode owes its publisher. Publishes
// are confirmed in their order, so that one basic.ack can stand for many.
type confirms struct {
	// Owned by the connection's reader.
	selected  bool      // changed under outbound.mu
	published uint64    // tag of the last publish
	fresh     []awaited // publishes of this burst that the journal has yet to sync

	// Guarded by outbound.mu.
	waiting   []awaited // in the order of tags, and so of tickets
	due       uint64    // publishes up to here may be confirmed unless one waits
	confirmed uint64    // publishes up to here have been
}

// awaited is a publish that cannot be confirmed yet.
type awaited struct {
	tag    uint64
	ticket uint64 // journal id that must become durable
	failed bool   // to be refused instead
}

// note records the outcome of the next publish.
func (s *confirms) note(ticket uint64, failed bool) {
	if !s.selected {
		return
	}
	s.published++
	if ticket != 0 || failed {
		s.fresh = append(s.fresh, awaited{tag: s.published, ticket: ticket, failed: failed})
	}
}

// confirmBurst confirms what needs no sync and has the journal call for the rest.
func (ch *channel) confirmBurst() {
	s := &ch.confirms
	if !s.selected {
		return
	}
	var last uint64
	for _, a := range s.fresh {
		last = max(last, a.ticket)
	}
	out := ch.conn.out
	out.mu.Lock()
	s.waiting = append(s.waiting, s.fresh...)
	s.due = s.published
	ch.confirmLocked()
	out.mu.Unlock()
	s.fresh = s.fresh[:0]
	if last != 0 {
		ch.conn.vhost.Journal().Watch(last, ch)
	}
}

// Durable is called by the journal: everything up to the ticket is on disk, or,
// with an error, the rest never will be.
func (ch *channel) Durable(upTo uint64, err error) {
	out := ch.conn.out
	out.mu.Lock()
	defer out.mu.Unlock()
	s := &ch.confirms
	for i := range s.waiting {
		a := &s.waiting[i]
		if a.ticket <= upTo {
			a.ticket = 0
			continue
		}
		if err == nil {
			break // tickets grow
		}
		a.failed = true
	}
	ch.confirmLocked()
}

// confirmLocked sends the acks and nacks that are due.
func (ch *channel) confirmLocked() {
	if ch.closed {
		return
	}
	s := &ch.confirms
	settled := 0
	for settled < len(s.waiting) {
		a := s.waiting[settled]
		if a.ticket != 0 && !a.failed {
			break
		}
		settled++
		if a.failed {
			ch.ackLocked(a.tag - 1)
			ch.conn.out.sendLocked(ch.id, &amqp.BasicNack{DeliveryTag: a.tag})
			ch.conn.out.counts.refused++
			s.confirmed = a.tag
		}
	}
	s.waiting = s.waiting[:copy(s.waiting, s.waiting[settled:])]
	if len(s.waiting) > 0 {
		ch.ackLocked(s.waiting[0].tag - 1)
	} else {
		ch.ackLocked(s.due)
	}
}

// ackLocked confirms the publishes up to tag. It is the promise that they are
// where they must be: in every queue, and on disk if persistent and durable.
func (ch *channel) ackLocked(tag uint64) {
	s := &ch.confirms
	if tag <= s.confirmed {
		return
	}
	ack := &ch.conn.out.ack
	*ack = amqp.BasicAck{DeliveryTag: tag, Multiple: tag > s.confirmed+1}
	ch.conn.out.sendLocked(ch.id, ack)
	ch.conn.out.counts.confirmed += tag - s.confirmed
	s.confirmed = tag
}
