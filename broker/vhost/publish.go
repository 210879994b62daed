package vhost

import (
	"errors"
	"fmt"
	"sync"

	"thump/broker/amqp"
)

// ErrRejected says that a full queue with x-overflow reject-publish turned the
// message away: the publisher gets a nack.
var ErrRejected = errors.New("queue is full and rejects publishes")

// Publish routes m into queues and returns how many. The bytes of m are borrowed
// for the call. If ticket is not zero, the message may be confirmed when
// Journal().Durable() has reached it. The error is an *amqp.Error, ErrRejected
// (other queues may have taken the message), or that of a journal which failed.
func (v *VHost) Publish(m *Message) (routed int, ticket uint64, err error) {
	x, err := v.accept(m)
	if err != nil {
		return 0, 0, err
	}
	x.published.Add(1)
	queues := v.routeAll(x, m)
	if len(queues) == 0 {
		v.totals.unroutable.Add(1)
		return 0, 0, nil
	}
	x.routed.Add(1)
	p := publication{vhost: v, message: m}
	err = p.into(queues)
	v.bury(p.spill)
	return len(queues), p.id, err
}

// Check returns the exception that Publish would, as far as the message is at
// fault.
func (v *VHost) Check(m *Message) error {
	c := *m // its time begins with Publish
	_, err := v.accept(&c)
	return err
}

// accept finds the exchange that a message is published to.
func (v *VHost) accept(m *Message) (*exchange, error) {
	x, err := v.exchange(m.Exchange)
	if err != nil {
		return nil, err
	}
	if x.spec.Internal {
		return nil, amqp.ChannelError(amqp.AccessRefused, "cannot publish to internal %s", v.text("exchange", m.Exchange))
	}
	if err := m.readCopies(); err != nil {
		return nil, err
	}
	return x, m.readExpiration()
}

// publication is one message on its way into queues.
type publication struct {
	vhost   *VHost
	message *Message
	id      uint64     // in the journal; 0: not there
	kept    *stored    // the copy, once a queue needs one
	spill   []casualty // what fell out of full queues
}

// into puts the message into the queues. It is in the journal first, once for
// all of them.
func (p *publication) into(queues []*Queue) error {
	if p.message.Persistent && p.vhost.journal != nil {
		if err := p.record(queues); err != nil {
			return err
		}
	}
	rejected := false
	for _, q := range queues {
		if !q.publish(p) {
			rejected = true
		}
	}
	p.vhost.release(p.kept)
	if rejected {
		p.vhost.totals.rejected.Add(1)
		return ErrRejected
	}
	return nil
}

// recordBuffers lends room for the headers of journal records.
var recordBuffers = sync.Pool{New: func() any { return new([]byte) }}

// record appends the message to the journal for the durable queues.
func (p *publication) record(queues []*Queue) error {
	var room [8]uint64
	ids := room[:0]
	for _, q := range queues {
		if q.id != 0 {
			ids = append(ids, q.id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	p.message.stamp()
	buf := recordBuffers.Get().(*[]byte)
	defer recordBuffers.Put(buf)
	*buf = appendRecord((*buf)[:0], p.message)
	id, err := p.vhost.journal.Append(ids, *buf, p.message.Body)
	if err != nil {
		return fmt.Errorf("append message to journal: %w", err)
	}
	p.id = id
	return nil
}

// hold returns the copy of the message for one more holder. The publication
// itself holds it too, until all queues have it.
func (p *publication) hold() *stored {
	if p.kept == nil {
		p.message.stamp()
		p.kept = store(p.message)
		p.kept.refs.Store(1)
		p.vhost.hot.Add(p.kept.footprint())
	}
	p.kept.refs.Add(1)
	return p.kept
}

// release gives up one hold on a message; s may be nil.
func (v *VHost) release(s *stored) {
	if s != nil && s.refs.Add(-1) == 0 {
		v.hot.Add(-s.footprint())
	}
}

// roomy says whether the memory budget has room for another message.
func (v *VHost) roomy() bool { return v.hot.Load() < v.cfg.MemoryBudget }

// read returns a message that only the journal has.
func (v *VHost) read(id uint64) (*Message, error) {
	header, body, err := v.journal.Read(id)
	if err != nil {
		return nil, fmt.Errorf("read message %d: %w", id, err)
	}
	m, err := parseRecord(header, body)
	if err != nil {
		return nil, fmt.Errorf("decode message %d: %w", id, err)
	}
	return m, nil
}
