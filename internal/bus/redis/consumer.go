package redis

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"thump/internal/bus"
	"thump/internal/bus/redis/streams"
)

const (
	readWait  = 250 * time.Millisecond // how long a read waits; the end of a subscription waits for it
	tendEvery = time.Second            // leases are renewed, streams trimmed, the dead's entries claimed
	ackBatch  = 500                    // entries acknowledged by one command
)

// consumer is one consumer of a queue, under a name that is used once: what
// it leaves behind unacknowledged is claimed by the next.
type consumer struct {
	// Static after construction.
	link   *link
	member *streams.Member
	sub    *bus.Subscription
	fail   context.CancelCauseFunc
	freed  chan struct{} // holds one: there may be room for more deliveries
	due    chan struct{} // holds one: there is something to acknowledge

	ahead atomic.Int64 // nanoseconds by which the server's clock is ahead of ours

	mu     sync.Mutex
	ended  bool         // guarded by mu: settling does nothing any more
	tag    uint64       // guarded by mu: of the last delivery
	open   []handed     // guarded by mu: delivered and not settled, by tag
	done   []streams.ID // guarded by mu: settled, not yet acknowledged
	looked time.Time    // owned by run: when it last looked for entries of the dead
}

// handed is an entry that the subscriber has.
type handed struct {
	tag uint64
	id  streams.ID
	key string
}

// read consumes a queue until ctx ends or something fails.
func (l *link) read(ctx context.Context, s *bus.Subscription, take func(*bus.Delivery) bool) error {
	r := l.routes.Load()
	if _, ok := r.queues[s.Queue]; !ok {
		return fmt.Errorf("there is no queue %s", s.Queue)
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	c := &consumer{
		link: l, sub: s, fail: fail, freed: make(chan struct{}, 1), due: make(chan struct{}, 1),
		member: l.store.Member(s.Queue, r.streamsOf(s.Queue), l.opts.Name+"-"+rand.Text(), s.Exclusive),
	}
	if err := c.renew(ctx); err != nil {
		return fmt.Errorf("consume queue %s: %w", s.Queue, err)
	}
	if s.Taken != nil {
		s.Taken()
	}
	var tending sync.WaitGroup
	tending.Go(func() { c.tend(ctx) })
	err := c.run(ctx, take)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	fail(err)
	tending.Wait()
	c.end()
	return err
}

// run hands deliveries over.
func (c *consumer) run(ctx context.Context, take func(*bus.Delivery) bool) error {
	for {
		n, err := c.room(ctx)
		if err != nil {
			return err
		}
		entries, again, err := c.fetch(ctx, n)
		if err != nil {
			return fmt.Errorf("read queue %s: %w", c.sub.Queue, err)
		}
		for i := range entries {
			if err := c.hand(ctx, &entries[i], again, take); err != nil {
				return err
			}
		}
	}
}

// room waits until the subscriber may be given something, and says how much.
func (c *consumer) room(ctx context.Context) (int, error) {
	for {
		c.mu.Lock()
		n := c.sub.Prefetch - len(c.open)
		c.mu.Unlock()
		if n > 0 && ctx.Err() == nil {
			return n, nil
		}
		select {
		case <-c.freed:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// fetch returns what consumers that have died left, as long as there is any, and
// then what is new.
func (c *consumer) fetch(ctx context.Context, n int) (entries []streams.Entry, again bool, err error) {
	if time.Since(c.looked) >= tendEvery {
		entries, err = c.member.Claim(ctx, n)
		if err != nil || len(entries) > 0 {
			return entries, true, err
		}
		c.looked = time.Now()
	}
	entries, err = c.member.Read(ctx, n, readWait, c.sub.NoAck)
	return entries, false, err
}

// hand gives one entry to the subscriber, unless it has expired.
func (c *consumer) hand(ctx context.Context, e *streams.Entry, again bool, take func(*bus.Delivery) bool) error {
	exchange, m := fromFields(e.Fields)
	if m.Expires > 0 && born(e.ID.Entry).Add(m.Expires).Before(c.now()) {
		return c.bury(ctx, handed{id: e.ID, key: m.Key}, "expired")
	}
	tag := c.keep(e.ID, m.Key)
	d := bus.NewDelivery(m, func(multiple bool) error { return c.ack(tag, multiple) }, func() error { return c.reject(tag) })
	d.Exchange, d.Redelivered = exchange, again
	if c.sub.NoAck && again { // those that are new Redis does not hold for us
		_ = c.ack(tag, false)
	}
	if !take(d) {
		return context.Canceled
	}
	return nil
}

// now is the server's time.
func (c *consumer) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// keep notes an entry as delivered and returns its tag.
func (c *consumer) keep(id streams.ID, key string) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tag++
	if !c.sub.NoAck {
		c.open = append(c.open, handed{c.tag, id, key})
	}
	return c.tag
}

// ack settles a delivery, or all up to it. It returns before Redis knows: what it does not learn
// of is delivered again.
func (c *consumer) ack(tag uint64, multiple bool) error {
	c.mu.Lock()
	for _, h := range c.settle(tag, multiple) {
		c.done = append(c.done, h.id)
	}
	c.mu.Unlock()
	signal(c.due)
	signal(c.freed)
	return nil
}

// reject settles a delivery by handing it to the dead-letter queue.
func (c *consumer) reject(tag uint64) error {
	c.mu.Lock()
	settled := c.settle(tag, false)
	c.mu.Unlock()
	if len(settled) == 0 {
		return nil
	}
	signal(c.freed)
	ctx, cancel := context.WithTimeout(context.Background(), pingWithin)
	defer cancel()
	err := c.bury(ctx, settled[0], "rejected")
	if err != nil {
		c.fail(err)
	}
	return err
}

// settle takes a delivery, or all up to it, out of those that are open. The
// caller holds mu.
func (c *consumer) settle(tag uint64, multiple bool) []handed {
	i, found := slices.BinarySearchFunc(c.open, tag, func(h handed, t uint64) int { return int(int64(h.tag) - int64(t)) })
	if c.ended {
		return nil
	}
	from, to := i, i
	if found {
		to = i + 1
	}
	if multiple {
		from = 0
	}
	out := slices.Clone(c.open[from:to])
	c.open = slices.Delete(c.open, from, to)
	return out
}

// bury moves an entry to the queue's dead-letter queue, if it has one.
func (c *consumer) bury(ctx context.Context, h handed, reason string) error {
	grave := c.link.routes.Load().grave(c.sub.Queue, h.key)
	fields := []string{headerPrefix + "x-first-death-queue", c.sub.Queue, headerPrefix + "x-first-death-reason", reason}
	if err := c.member.Bury(ctx, h.id, grave, fields); err != nil {
		return fmt.Errorf("dead-letter a message of %s: %w", c.sub.Queue, err)
	}
	return nil
}

// signal wakes whoever waits on c.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// tend acknowledges what is settled, keeps the lease, and trims behind the
// slowest group.
func (c *consumer) tend(ctx context.Context) {
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	for {
		var err error
		select {
		case <-c.due:
			err = c.flush()
		case <-tick.C:
			err = c.upkeep(ctx)
		case <-ctx.Done():
			return
		}
		if err != nil {
			c.fail(err)
			return
		}
	}
}

// flush acknowledges what is settled, also when the subscription has ended meanwhile.
func (c *consumer) flush() error {
	ctx, cancel := context.WithTimeout(context.Background(), flushWithin)
	defer cancel()
	c.mu.Lock()
	ids := c.done
	c.done = nil
	c.mu.Unlock()
	for some := range slices.Chunk(ids, ackBatch) {
		if err := c.member.Ack(ctx, some); err != nil {
			return fmt.Errorf("acknowledge %d messages of %s: %w", len(some), c.sub.Queue, err)
		}
	}
	return nil
}

// upkeep is what is done every second.
func (c *consumer) upkeep(ctx context.Context) error {
	if err := c.renew(ctx); err != nil {
		return fmt.Errorf("keep queue %s: %w", c.sub.Queue, err)
	}
	length, lost, err := c.member.Trim(ctx)
	if err != nil {
		return err
	}
	if more := c.link.metrics.queue(c.sub.Queue, length, lost); more > 0 {
		c.link.opts.Logger.Warn("messages fell out of the stream before they were consumed: raise bus.redis.max_length", "queue", c.sub.Queue, "messages", more)
	}
	return nil
}

// renew takes or keeps the lease, and compares the clocks.
func (c *consumer) renew(ctx context.Context) error {
	now, err := c.member.Renew(ctx)
	if err != nil {
		return err
	}
	c.ahead.Store(int64(time.Until(now)))
	return nil
}

// end acknowledges what is settled and gives the rest back.
func (c *consumer) end() {
	c.mu.Lock()
	c.ended = true
	c.mu.Unlock()
	err := c.flush()
	if err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), flushWithin)
		defer cancel()
		err = c.member.Release(ctx)
	}
	if err != nil {
		c.link.opts.Logger.Debug("a consumer ended without a word to Redis", "queue", c.sub.Queue, "err", err)
	}
}
