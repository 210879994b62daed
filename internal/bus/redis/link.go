package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"thump/internal/bus"
	"thump/internal/bus/redis/streams"
)

const (
	pingEvery   = time.Second
	pingWithin  = 3 * time.Second
	beginWithin = 5 * time.Second
	// flushWithin is the time for the last acknowledgements when a consumer ends.
	flushWithin = time.Second
	// oldestRedis is the first major version with all that is used here.
	oldestRedis = 7
)

// link is one store with the topology declared in it. The first sign that
// the server is gone, or has forgotten, ends it.
type link struct {
	// Static after construction.
	server string // the URL without passwords
	store  *streams.Store
	*shared
	closed  chan struct{}
	stopped context.CancelFunc // of watch
	watched chan struct{}      // closed when watch has returned

	routes atomic.Pointer[routes]
	warned atomic.Int64 // Unix nanoseconds of the last warning of a bound

	mu        sync.Mutex
	cause     error          // guarded by mu; set once
	consumers sync.WaitGroup // added to under mu while cause is nil
}

func (t *shared) open(ctx context.Context, rawURL string) (*link, error) {
	store, err := streams.Open(rawURL, t.opts.Name, t.opts.TLS)
	if err != nil {
		return nil, err
	}
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	l := &link{
		server: bus.Redact(rawURL), store: store, shared: t,
		closed: make(chan struct{}), stopped: stop, watched: make(chan struct{}),
	}
	if err := l.begin(ctx); err != nil {
		stop()
		return nil, errors.Join(err, store.Close())
	}
	go l.watch(watching)
	return l, nil
}

// begin looks at the server and declares the topology.
func (l *link) begin(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, beginWithin)
	defer cancel()
	c, err := l.store.Condition(ctx)
	if err != nil {
		return err
	}
	if c.Major() < oldestRedis {
		return fmt.Errorf("its version is %q: want Redis %d or later", c.Version, oldestRedis)
	}
	if !c.AppendOnly {
		l.opts.Logger.Warn("this Redis forgets what it has confirmed when it ends: appendonly is off; see docs/bus.md", "broker", l.server)
	}
	if c.Evicts != "" {
		l.opts.Logger.Warn("this Redis may evict streams when its memory is full: set maxmemory-policy noeviction", "broker", l.server, "policy", c.Evicts)
	}
	if args := unheeded(&l.opts.Topology); len(args) > 0 {
		l.opts.Logger.Warn("Redis has nothing like these arguments of queues; they are passed over", "arguments", strings.Join(args, ", "))
	}
	return l.declare(ctx)
}

// declare makes the table agree with our topology, and reads all of it.
func (l *link) declare(ctx context.Context) error {
	pairs, groups, err := declaration(&l.opts.Topology)
	if err != nil {
		return err
	}
	table, err := l.store.Declare(ctx, pairs, groups)
	if err != nil {
		return fmt.Errorf("declare: %w", err)
	}
	for _, p := range pairs {
		if have := table.Entries[p.Name]; have != p.Value {
			return fmt.Errorf("declare %s: it is there as %q, want %q: other versions of thump share this Redis, or HDEL %stopology %q", p.Name, have, p.Value, streams.Prefix, p.Name)
		}
	}
	r, err := readRoutes(table, l.cfg.Redis.MaxLength)
	if err != nil {
		return err
	}
	l.routes.Store(r)
	return nil
}

// declaration is a topology as the store takes it.
func declaration(t *bus.Topology) ([]streams.Pair, []streams.Group, error) {
	pairs, err := pairs(t)
	if err != nil {
		return nil, nil, err
	}
	own := &streams.Table{Entries: map[string]string{}}
	for _, p := range pairs {
		own.Entries[p.Name] = p.Value
	}
	r, err := readRoutes(own, 1) // for the streams alone
	if err != nil {
		return nil, nil, err
	}
	var groups []streams.Group
	for _, q := range t.Queues {
		for _, s := range r.streamsOf(q.Name) {
			groups = append(groups, streams.Group{Stream: s, Name: q.Name})
		}
	}
	return pairs, groups, nil
}

// watch asks the server every second whether it is there.
func (l *link) watch(ctx context.Context) {
	defer close(l.watched)
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		asking, cancel := context.WithTimeout(ctx, pingWithin)
		err := l.store.Ping(asking)
		cancel()
		if err != nil && ctx.Err() == nil {
			l.fail(err)
			return
		}
	}
}

// Publish implements bus.Link.
func (l *link) Publish(ctx context.Context, exchange string, m *bus.Message) error {
	fields := toFields(exchange, m)
	for range 3 { // the table may change once or twice, not for ever
		r := l.routes.Load()
		to, channels := r.route(exchange, m.Key)
		if len(to)+len(channels) == 0 {
			return bus.ErrUnroutable
		}
		p, err := l.store.Publish(ctx, r.version, to, channels, fields, l.cfg.Redis.Replicas)
		if errors.Is(err, streams.ErrStale) {
			err = l.declare(ctx)
			if err == nil {
				continue
			}
		}
		return l.outcome(ctx, p, err)
	}
	return fmt.Errorf("%w: the topology changes all the time", bus.ErrRefused)
}

// outcome is what became of a message. nil is the promise that Redis has it: in
// its memory, and in its append-only file as far as appendfsync says.
func (l *link) outcome(ctx context.Context, p streams.Published, err error) error {
	switch {
	case err == nil && p.Dropped > 0:
		l.warn(p)
		return nil
	case err == nil && p.Reached == 0:
		return bus.ErrUnroutable
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case streams.Refused(err):
		return fmt.Errorf("%w: %w", bus.ErrRefused, err)
	}
	l.fail(err)
	return fmt.Errorf("%w: %w", bus.ErrLinkLost, err)
}

// warn tells of messages that a subscriber will never see, every 10 s at most.
// The subscriber counts them.
func (l *link) warn(p streams.Published) {
	now, last := time.Now().UnixNano(), l.warned.Load()
	if now-last < int64(10*time.Second) || !l.warned.CompareAndSwap(last, now) {
		return
	}
	l.opts.Logger.Warn("a stream in Redis is full, its oldest messages go unread: raise bus.redis.max_length or start the subscriber", "queue", p.Whose, "messages", p.Dropped)
}

// Consume implements bus.Link.
func (l *link) Consume(ctx context.Context, s *bus.Subscription, take func(*bus.Delivery) bool) error {
	if !l.enter() {
		return l.Reason()
	}
	defer l.consumers.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-l.closed:
			cancel()
		case <-ctx.Done():
		}
	}()
	if s.Queue == "" {
		return l.listen(ctx, s, take)
	}
	err := l.read(ctx, s, take)
	if err != nil && !errors.Is(err, streams.ErrTaken) && ctx.Err() == nil {
		l.fail(err) // the group may be gone with what the server has forgotten: declare anew
	}
	return err
}

// enter counts a consumer, unless the link has ended.
func (l *link) enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cause != nil {
		return false
	}
	l.consumers.Add(1)
	return true
}

// fail ends the link for a reason; only the first one counts.
func (l *link) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cause == nil {
		l.cause = err
		close(l.closed)
	}
}

// Peer implements bus.Link.
func (l *link) Peer() string { return l.server }

// Ended implements bus.Link.
func (l *link) Ended() <-chan struct{} { return l.closed }

// Reason implements bus.Link.
func (l *link) Reason() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cause
}

// Close implements bus.Link: it ends the link once its consumers have said what they had to say.
func (l *link) Close() {
	l.fail(errors.New("closed"))
	l.stopped()
	l.consumers.Wait()
	<-l.watched
	if err := l.store.Close(); err != nil {
		l.opts.Logger.Debug("closing the connections to Redis failed", "err", err)
	}
}
