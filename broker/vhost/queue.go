package vhost

import (
	"sync"
	"sync/atomic"

	"thump/broker/amqp"
	"thump/broker/journal"
)

// QueueSpec is a queue as it is declared.
type QueueSpec struct {
	Name       string // "": the broker chooses one
	Durable    bool
	Exclusive  bool // belongs to one connection and goes with it
	AutoDelete bool // goes with its last consumer
	Passive    bool // only check that it exists
	Args       amqp.Table
}

// Queue holds messages until consumers take and settle them.
type Queue struct {
	// static after construction
	vhost    *VHost
	id       uint64 // in the journal; 0: its messages do not go there
	spec     QueueSpec
	owner    *Owner       // of an exclusive queue, else nil
	declared queueRules   // of the arguments alone
	alone    destinations // the queue itself, as the default exchange's answer

	inbound map[*binding]struct{} // guarded by VHost.mu

	patience atomic.Int64 // rules.patience

	mu sync.Mutex
	// guarded by mu
	deleted        bool
	rules          queueRules // of the arguments and the policies
	policy         string     // that applies; "": none
	operatorPolicy string
	line           line
	consumers      []*Consumer // in the order of their arrival
	rotation       rotation    // of those, who could take a message now
	active         *Consumer   // with rules.single: the only one that is delivered to
	unacked        int
	counts         Counts
	aging          aging
	lease          lease
	retrial        retrial
}

// newQueue returns a queue; o is the connection that declares it.
func (v *VHost) newQueue(spec QueueSpec, rules queueRules, id uint64, o *Owner) *Queue {
	q := &Queue{vhost: v, id: id, spec: spec, declared: rules, rules: rules, inbound: make(map[*binding]struct{})}
	q.alone.queues = []*Queue{q}
	q.setPatience(rules.patience)
	if rules.maxPriority > 0 {
		q.line.above = make([]lane, rules.maxPriority)
	}
	if spec.Exclusive {
		q.owner = o
	}
	return q
}

// Name returns the name of the queue.
func (q *Queue) Name() string { return q.spec.Name }

// persistent says whether the queue survives a restart. An exclusive one cannot:
// its connection does not.
func (q *Queue) persistent() bool { return q.spec.Durable && !q.spec.Exclusive }

// recover takes the messages that the journal holds for the queue. Nobody can
// tell which of them were delivered before, so all say so.
func (q *Queue) recover() {
	if q.vhost.journal == nil || q.id == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, e := range q.vhost.journal.Recovered(q.id) {
		size, priority := q.recoveredSize(e)
		q.line.push(entry{id: e.ID, size: size, redelivered: true, priority: priority, attempts: e.Returned})
		q.aging.possible = true // their records say
	}
}

// recoveredSize returns the size of a recovered message's body, and its priority.
// The journal knows the size only together with the properties', which is near
// enough unless the queue is limited by it; then it has not many to read.
func (q *Queue) recoveredSize(e journal.Entry) (size uint32, priority uint8) {
	if q.rules.maxBytes == unlimited && q.rules.maxPriority == 0 {
		return e.Size, 0
	}
	m, err := q.load(entry{id: e.ID})
	if err != nil {
		return e.Size, 0
	}
	return uint32(len(m.Body)), q.rules.priority(m)
}

// publish takes a message: to a consumer that waits, or into the line. False
// means that the queue is full and rejects it.
func (q *Queue) publish(p *publication) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	e := entry{size: uint32(len(p.message.Body))}
	if q.rules.maxPriority > 0 {
		e.priority = q.rules.priority(p.message)
	}
	if q.id != 0 {
		e.id = p.id
	}
	switch {
	case q.deleted:
		q.forget(e)
		return true
	case q.rules.overflow != dropHead && q.rules.over(q.line.len()+1, q.line.bytes+int64(e.size)):
		q.refuse(e, p)
		return false
	}
	q.counts.Published++
	if q.line.len() == 0 && q.rotation.next() != nil {
		pass := placed{entry: e, at: q.line.pass()}
		if q.hand(p.message, &pass, p) {
			return true
		}
		e = pass.entry
	}
	if e.msg == nil && (e.id == 0 || q.vhost.roomy()) {
		e.msg = p.hold()
	}
	q.line.push(e)
	q.aging.possible = q.aging.possible || p.message.expires != 0
	q.dispatch(&p.spill) // nobody waits, unless a message in front could not be loaded
	q.trim(&p.spill)
	return true
}

// refuse turns a message away from a full queue.
func (q *Queue) refuse(e entry, p *publication) {
	if q.rules.overflow != rejectPublishDLX {
		q.forget(e)
		return
	}
	if e.id == 0 {
		e.msg = p.hold()
	}
	p.spill = append(p.spill, casualty{queue: q, entry: e, reason: maxlen})
}

// trim drops from the head what a queue holds beyond its limits.
func (q *Queue) trim(spill *[]casualty) {
	for q.line.len() > 0 && q.rules.over(q.line.len(), q.line.bytes) {
		q.counts.Dropped++
		*spill = append(*spill, casualty{queue: q, entry: q.line.take().entry, reason: maxlen})
	}
}

// dispatch gives the ready messages to the consumers that wait. What has expired
// in front of them is spilled.
func (q *Queue) dispatch(spill *[]casualty) {
	for q.line.len() > 0 && q.rotation.next() != nil {
		p, m, err := q.takeReadable()
		switch {
		case err != nil:
			q.retryLater(err)
			return
		case m == nil: // all that was left is lost
		case q.expired(m):
			q.expire(p.entry, spill)
		case !q.hand(m, &p, nil):
			q.line.putBack(p)
		}
	}
	q.age(spill)
}

// hand offers a message to the waiting consumers in turn. It comes from a
// publication, or from the line if that is nil.
func (q *Queue) hand(m *Message, p *placed, from *publication) bool {
	for c := q.rotation.next(); c != nil; c = q.rotation.next() {
		d := Delivery{Queue: q, Message: m, Redelivered: p.redelivered, consumer: c, placed: *p}
		if q.rules.counts {
			d.Message = counted(m, p.attempts)
		}
		switch {
		case p.id != 0:
			d.msg = nil // read back from the journal if it is ever needed again
		case !c.spec.NoAck && p.msg == nil:
			p.msg = from.hold()
			d.msg = p.msg
		}
		if c.receiver.Deliver(c, d) {
			q.handed(c, p)
			return true
		}
		c.stalled = true
		q.rotation.remove(c)
	}
	return false
}

// handed accounts for a delivery that a consumer took.
func (q *Queue) handed(c *Consumer, p *placed) {
	q.counts.delivered(p.redelivered, c.spec.NoAck)
	if c.spec.NoAck {
		q.forget(p.entry)
	} else {
		q.unacked++
		c.unacked++
		if p.id != 0 {
			q.vhost.release(p.msg)
		}
	}
	if c.ready() {
		q.rotation.advance()
	} else {
		q.rotation.remove(c)
	}
}

// refresh lets a consumer wait for messages again if it may.
func (q *Queue) refresh(c *Consumer) {
	if !c.waiting && !q.deleted && c.ready() {
		q.rotation.add(c)
	}
}

// load returns the message of an entry.
func (q *Queue) load(e entry) (*Message, error) {
	if e.msg != nil {
		return &e.msg.Message, nil
	}
	return q.vhost.read(e.id)
}

// forget ends an entry: its message has left the queue for good.
func (q *Queue) forget(e entry) {
	q.vhost.release(e.msg)
	if e.id != 0 {
		q.done(e.id)
	}
}

// done tells the journal that messages have left the queue. A failure costs a
// second delivery after a restart, never a message.
func (q *Queue) done(ids ...uint64) {
	if err := q.vhost.journal.Done(q.id, ids...); err != nil {
		q.vhost.log.Error("journal does not take note of settled messages",
			"vhost", q.vhost.cfg.Name, "queue", q.spec.Name, "messages", len(ids), "err", err)
	}
}

// drain empties the line and returns how many messages it held.
func (q *Queue) drain() int {
	n := q.line.len()
	ids := make([]uint64, 0, min(n, maxChunk))
	for q.line.len() > 0 {
		e := q.line.take().entry
		q.vhost.release(e.msg)
		if e.id != 0 {
			ids = append(ids, e.id)
		}
		if len(ids) == maxChunk || q.line.len() == 0 && len(ids) > 0 {
			q.done(ids...)
			ids = ids[:0]
		}
	}
	return n
}
