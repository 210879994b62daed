package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// Backoff between attempts to connect: doubled from the first to the last, and
// each time drawn at random from half of it upwards, so that a thousand agents
// do not return in one wave.
const (
	firstBackoff = 100 * time.Millisecond
	lastBackoff  = 10 * time.Second
)

// amqpBus keeps one AMQP connection up and everything that hangs on it.
type amqpBus struct {
	// Static after construction.
	cfg     Config
	opts    Options
	log     *slog.Logger
	metrics *metrics

	mu   sync.Mutex
	link *link         // nil while down; guarded by mu
	up   chan struct{} // closed while link is set; guarded by mu
}

func newAMQP(cfg Config, o Options) *amqpBus {
	return &amqpBus{cfg: cfg, opts: o, log: o.Logger, metrics: newMetrics(o.Registerer, o.Name), up: make(chan struct{})}
}

// Run implements Bus.
func (b *amqpBus) Run(ctx context.Context) error {
	backoff := firstBackoff
	for attempt := 0; ctx.Err() == nil; attempt++ {
		url := b.cfg.URLs[attempt%len(b.cfg.URLs)]
		l, err := dial(ctx, url, &b.opts)
		if err != nil {
			b.metrics.failures.Inc()
			b.changed(ctx, err)
			b.log.Warn("broker not reachable, trying again", "err", err, "in", backoff)
			pause(ctx, backoff)
			backoff = min(2*backoff, lastBackoff)
			continue
		}
		backoff = firstBackoff
		b.serve(ctx, l)
	}
	return nil
}

// serve makes the link available until it or ctx ends.
func (b *amqpBus) serve(ctx context.Context, l *link) {
	b.log.Info("connected to the broker", "broker", l.peer)
	b.set(l)
	b.metrics.connected.Set(1)
	b.changed(ctx, nil)
	select {
	case <-l.closed:
		b.log.Warn("link to the broker lost", "broker", l.peer, "err", l.reason())
		b.changed(ctx, fmt.Errorf("link to %s lost: %w", l.peer, l.reason()))
	case <-ctx.Done():
	}
	b.metrics.connected.Set(0)
	b.set(nil)
	l.close()
}

// changed tells whoever wants to know; an attempt cut short by the end is no news.
func (b *amqpBus) changed(ctx context.Context, err error) {
	if b.opts.Changed != nil && ctx.Err() == nil {
		b.opts.Changed(err)
	}
}

func (b *amqpBus) set(l *link) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.link = l
	if l != nil {
		close(b.up)
	} else {
		b.up = make(chan struct{})
	}
}

func (b *amqpBus) current() (*link, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.link, b.up
}

// await returns the link as soon as there is one.
func (b *amqpBus) await(ctx context.Context) (*link, error) {
	for {
		l, up := b.current()
		if l != nil {
			return l, ctx.Err()
		}
		select {
		case <-up:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Ready implements Bus.
func (b *amqpBus) Ready(ctx context.Context) error {
	_, err := b.await(ctx)
	return err
}

// Connected implements Bus.
func (b *amqpBus) Connected() bool {
	l, _ := b.current()
	return l != nil
}

// Publish implements Bus.
func (b *amqpBus) Publish(ctx context.Context, exchange string, m *Message) error {
	l, _ := b.current()
	err := ErrNotConnected
	if l != nil {
		err = l.publish(ctx, exchange, m)
	}
	b.metrics.published.WithLabelValues(outcome(err)).Inc()
	return err
}

// Subscribe implements Bus.
func (b *amqpBus) Subscribe(ctx context.Context, s Subscription) (<-chan *Delivery, error) {
	if s.Queue == "" && len(s.Bindings) == 0 {
		return nil, errors.New("subscribe: a server-named queue without a binding receives nothing")
	}
	if s.Prefetch == 0 {
		s.Prefetch = 256
	}
	out := make(chan *Delivery, s.Prefetch)
	go b.consume(ctx, s, out)
	return out, nil
}

// consume runs until ctx ends; the closed channel tells the subscriber that it
// has.
func (b *amqpBus) consume(ctx context.Context, s Subscription, out chan<- *Delivery) {
	defer close(out)
	for {
		l, err := b.await(ctx)
		if err != nil {
			return
		}
		err = l.consume(ctx, &s, func(d *Delivery) bool {
			b.metrics.delivered.Inc()
			return send(ctx, out, d)
		})
		if ctx.Err() != nil {
			return
		}
		b.log.Warn("subscription interrupted, taking it up again", "queue", s.Queue, "err", err)
		if s.Interrupted != nil {
			s.Interrupted(err)
		}
		pause(ctx, firstBackoff+rand.N(firstBackoff))
	}
}

func send(ctx context.Context, out chan<- *Delivery, d *Delivery) bool {
	select {
	case out <- d:
		return true
	case <-ctx.Done():
		return false
	}
}

// pause waits between half of d and d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d/2 + rand.N(d/2))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
