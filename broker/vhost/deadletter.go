package vhost

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"thump/broker/amqp"
)

// reason says why a message died, as x-death names it.
type reason string

const (
	rejected reason = "rejected"
	maxlen   reason = "maxlen"
	expired  reason = "expired"

	deliveryLimit reason = "delivery_limit"
)

// casualty is an entry that has fallen out of a queue, and is to be dead-lettered
// without any queue's lock.
type casualty struct {
	queue  *Queue
	entry  entry
	reason reason
}

// bury dead-letters casualties, and those that they push out elsewhere. It works
// off a list, since a chain of full queues may be long.
func (v *VHost) bury(dead []casualty) {
	for len(dead) > 0 {
		c := dead[0]
		spill, err := v.deadLetter(c)
		dead = append(dead[1:], spill...)
		if err != nil {
			v.log.Error("message is not dead-lettered; if durable it comes back at the next start",
				"vhost", v.cfg.Name, "queue", c.queue.spec.Name, "err", err)
			v.release(c.entry.msg)
			continue
		}
		// The targets have it in the journal by now: only then it leaves the source.
		c.queue.forget(c.entry)
	}
}

// deadLetter publishes a casualty to its queue's dead-letter exchange and returns
// what that pushes out of full queues. Without an exchange the message ends here.
func (v *VHost) deadLetter(c casualty) (spill []casualty, err error) {
	target := c.queue.deadLetters()
	if target == nil {
		return nil, nil
	}
	x, ok := v.exchanges.Load().get(target.exchange)
	if !ok {
		return nil, nil // as in RabbitMQ: the exchange may come and go
	}
	m, err := c.queue.load(c.entry)
	if isLost(err) {
		c.queue.mourn(c.entry, err)
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	letter, deaths, err := obituary(m, c.queue, target, c.reason, time.Now())
	if err != nil {
		return nil, err
	}
	queues := v.routeAll(x, letter)
	if c.reason != rejected {
		queues = slices.DeleteFunc(slices.Clone(queues), func(q *Queue) bool { return cycles(deaths, q.spec.Name) })
	}
	v.totals.deadLettered.Add(1)
	p := publication{vhost: v, message: letter}
	if err = p.into(queues); errors.Is(err, ErrRejected) {
		err = nil // a full target drops it: nobody waits for an answer
	}
	return p.spill, err
}

// deadLetters returns where the queue's dead messages go; nil: nowhere.
func (q *Queue) deadLetters() *deadLetterTarget {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.rules.deadLetter
}

// obituary returns the message as it is published to the dead-letter exchange,
// and its deaths, the latest first.
func obituary(m *Message, q *Queue, target *deadLetterTarget, why reason, now time.Time) (*Message, []any, error) {
	p, err := amqp.ParseProperties(m.Header)
	if err != nil {
		return nil, nil, fmt.Errorf("read properties of a dead message: %w", err)
	}
	if p.Headers == nil {
		p.Headers = amqp.Table{}
	}
	also, err := copies(p.Headers, "CC")
	if err != nil {
		return nil, nil, err
	}
	keys := []any{m.Key}
	for _, key := range also {
		keys = append(keys, key)
	}
	death := amqp.Table{
		"count": int64(1), "reason": string(why), "queue": q.spec.Name, "time": now,
		"exchange": m.Exchange, "routing-keys": keys,
	}
	if p.Expiration != "" { // it would expire again, elsewhere
		death["original-expiration"] = p.Expiration
		p.Expiration = ""
		p.Flags &^= amqp.FlagExpiration
	}
	_, before := p.Headers["x-death"]
	earlier, _ := p.Headers["x-death"].([]any)
	deaths := addDeath(earlier, death)
	setDeathHeaders(p.Headers, deaths, !before)

	letter := &Message{
		Exchange: target.exchange, Key: m.Key, Body: m.Body, Persistent: m.Persistent,
	}
	if target.key != nil {
		letter.Key = *target.key
		delete(p.Headers, "CC")
	} else {
		letter.also = also
	}
	if letter.Header, err = p.Append(nil); err != nil {
		return nil, nil, fmt.Errorf("write properties of a dead message: %w", err)
	}
	return letter, deaths, nil
}

// setDeathHeaders writes what RabbitMQ tells a consumer about a message's deaths.
func setDeathHeaders(headers amqp.Table, deaths []any, first bool) {
	headers["x-death"] = deaths
	latest, _ := deaths[0].(amqp.Table)
	for _, what := range []string{"reason", "queue", "exchange"} {
		if first {
			headers["x-first-death-"+what] = latest[what]
		}
		headers["x-last-death-"+what] = latest[what]
	}
}

// addDeath puts a death in front. One of the same queue and reason is counted
// instead, and keeps the time and place of its first occurrence.
func addDeath(earlier []any, death amqp.Table) []any {
	deaths := []any{death}
	for _, e := range earlier {
		old, ok := e.(amqp.Table)
		if ok && old["queue"] == death["queue"] && old["reason"] == death["reason"] {
			count, _ := integer(old["count"])
			old["count"] = count + 1
			deaths[0] = old
			continue
		}
		deaths = append(deaths, e)
	}
	return deaths
}

// cycles says whether a message has been in a queue before without anybody having
// rejected it since: it would go round for ever.
func cycles(deaths []any, queue string) bool {
	for _, e := range deaths {
		death, _ := e.(amqp.Table)
		if death["reason"] == string(rejected) {
			return false
		}
		if death["queue"] == queue {
			return true
		}
	}
	return false
}
