package vhost

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"

	"thump/broker/amqp"
)

// Owner is a connection, to which exclusive queues belong.
type Owner struct {
	Name string // of the connection, for listings

	queues map[*Queue]struct{} // guarded by VHost.mu
}

// QueueInfo is the answer to a declaration.
type QueueInfo struct {
	Name      string
	Messages  uint32 // ready
	Consumers uint32
}

// DeclareQueue creates a queue for a connection, or checks that it is there and
// equivalent.
func (v *VHost) DeclareQueue(spec QueueSpec, o *Owner) (QueueInfo, error) {
	spec.Name = cleanName(spec.Name)
	if spec.Passive {
		q, err := v.queueFor(spec.Name, o)
		if err != nil {
			return QueueInfo{}, err
		}
		return q.info(), nil
	}
	if spec.Name == "" {
		spec.Name = "amq.gen-" + base64.RawURLEncoding.EncodeToString(randomBytes(16))
	} else if q, ok := v.queues.Load().get(spec.Name); ok {
		return q.redeclare(spec, o)
	} else if err := assertFreeName("queue", spec.Name); err != nil {
		return QueueInfo{}, err
	}
	rules, err := parseQueueRules(v.text("queue", spec.Name), spec)
	if err != nil {
		return QueueInfo{}, err
	}
	return v.createQueue(spec, rules, o)
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails, see crypto/rand
	return b
}

func (v *VHost) createQueue(spec QueueSpec, rules queueRules, o *Owner) (QueueInfo, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if q, ok := v.queues.Load().get(spec.Name); ok { // somebody was faster
		return q.redeclare(spec, o)
	}
	if err := v.roomForQueue(spec.Name); err != nil {
		return QueueInfo{}, err
	}
	q := v.newQueue(spec, rules, 0, o)
	q.apply(v.policies, nil) // it is empty: nothing falls out
	if q.persistent() {
		id, err := v.defs.CreateQueue(spec)
		if err != nil {
			return QueueInfo{}, fmt.Errorf("store queue: %w", err)
		}
		q.id = id
	}
	if q.owner != nil {
		if o.queues == nil {
			o.queues = make(map[*Queue]struct{})
		}
		o.queues[q] = struct{}{}
	}
	v.addQueue(q)
	return q.info(), nil
}

// redeclare checks a declaration of a queue that exists, as RabbitMQ does.
func (q *Queue) redeclare(spec QueueSpec, o *Owner) (QueueInfo, error) {
	what := q.vhost.text("queue", q.spec.Name)
	if spec.Exclusive != q.spec.Exclusive || q.owner != nil && q.owner != o {
		return QueueInfo{}, q.vhost.locked(q)
	}
	if err := assertSame(what, "durable", spec.Durable, q.spec.Durable); err != nil {
		return QueueInfo{}, err
	}
	if err := assertSame(what, "auto_delete", spec.AutoDelete, q.spec.AutoDelete); err != nil {
		return QueueInfo{}, err
	}
	if err := assertSameArguments(what, queueArguments, withDefaultType(spec.Args), withDefaultType(q.spec.Args)); err != nil {
		return QueueInfo{}, err
	}
	return q.info(), nil
}

// withDefaultType drops an x-queue-type that says what is the default.
func withDefaultType(args amqp.Table) amqp.Table {
	if args["x-queue-type"] != "classic" {
		return args
	}
	rest := amqp.Table{}
	for key, value := range args {
		if key != "x-queue-type" {
			rest[key] = value
		}
	}
	return rest
}

func (q *Queue) info() QueueInfo {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.use()
	return QueueInfo{Name: q.spec.Name, Messages: uint32(q.line.len()), Consumers: uint32(len(q.consumers))}
}

// PurgeQueue drops the ready messages of a queue and returns how many there were.
func (v *VHost) PurgeQueue(name string, o *Owner) (uint32, error) {
	q, err := v.queueFor(cleanName(name), o)
	if err != nil {
		return 0, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return uint32(q.drain()), nil
}

// DeleteQueue removes a queue with its messages and bindings, and returns how
// many messages were ready. One that is missing is not an error.
func (v *VHost) DeleteQueue(name string, ifUnused, ifEmpty bool, o *Owner) (uint32, error) {
	name = cleanName(name)
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, ok := v.queues.Load().get(name); !ok {
		return 0, nil
	}
	q, err := v.queueFor(name, o)
	if err != nil {
		return 0, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case ifUnused && len(q.consumers) > 0:
		return 0, amqp.ChannelError(amqp.PreconditionFailed, "%s in use", v.text("queue", name))
	case ifEmpty && q.line.len() > 0:
		return 0, amqp.ChannelError(amqp.PreconditionFailed, "%s not empty", v.text("queue", name))
	}
	n := q.line.len()
	return uint32(n), v.removeQueue(q)
}

// deleteIf deletes a queue without consumers, if holds still says so under its
// lock: a consumer may have come since it was found unused.
func (v *VHost) deleteIf(q *Queue, holds func() bool) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.deleted || len(q.consumers) > 0 || !holds() {
		return nil
	}
	return v.removeQueue(q)
}

// CloseOwner deletes the exclusive queues of a connection that has ended.
func (v *VHost) CloseOwner(o *Owner) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	var errs error
	for q := range o.queues {
		q.mu.Lock()
		errs = errors.Join(errs, v.removeQueue(q))
		q.mu.Unlock()
	}
	return errs
}

// removeQueue ends a queue: it leaves the topology and, durably, the
// definitions; then its consumers are cancelled and its ready messages dropped.
// VHost.mu and the queue's own lock must be held.
func (v *VHost) removeQueue(q *Queue) error {
	var err error
	if q.persistent() {
		if err = v.defs.DeleteQueue(q.spec.Name); err != nil {
			err = fmt.Errorf("delete stored queue: %w", err)
		}
	}
	m := v.queues.Load().without(q.spec.Name)
	v.queues.Store(&m)
	if q.owner != nil {
		delete(q.owner.queues, q)
	}
	q.end()
	v.totals.retired.add(q.counts)
	return errors.Join(err, v.detachAll(q.inbound))
}

// end cancels the consumers and drops what was ready. What is unacknowledged ends
// when it is settled.
func (q *Queue) end() {
	q.deleted = true
	q.aging.stop()
	q.lease.stop()
	for _, c := range q.consumers {
		c.cancelled = true
		q.rotation.remove(c)
		c.receiver.Cancelled(c)
	}
	q.consumers = nil
	q.drain()
}
