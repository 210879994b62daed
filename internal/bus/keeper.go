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

// Link is one connection to a broker, with the topology declared. It is never
// repaired: what goes wrong with it ends it, and the bus dials a new one.
type Link interface {
	// Peer is the broker, as the log shows it.
	Peer() string
	// Publish returns once the broker has confirmed m.
	Publish(ctx context.Context, exchange string, m *Message) error
	// Consume hands deliveries over until the subscription ends or take says no.
	Consume(ctx context.Context, s *Subscription, take func(*Delivery) bool) error
	// Ended is closed when the link is no more; Reason says why.
	Ended() <-chan struct{}
	Reason() error
	// Close ends it; consumers return.
	Close()
}

// Dial connects to a broker and declares the topology.
type Dial func(ctx context.Context, url string) (Link, error)

// Transport is a way in which messages travel.
type Transport interface {
	// Schemes of the URLs that it takes.
	Schemes() []string
	// Dial is how one bus connects; what the bus's links share lives in it.
	Dial(cfg Config, o Options) Dial
}

// keeper keeps one link up, and everything that hangs on it.
type keeper struct {
	// Static after construction.
	cfg     Config
	opts    Options
	dial    Dial
	log     *slog.Logger
	metrics *metrics

	mu   sync.Mutex
	link Link          // nil while down; guarded by mu
	up   chan struct{} // closed while link is set; guarded by mu
}

func newKeeper(cfg Config, o Options, dial Dial) *keeper {
	return &keeper{cfg: cfg, opts: o, dial: dial, log: o.Logger, metrics: newMetrics(o.Registerer, o.Name), up: make(chan struct{})}
}

// Run implements Bus.
func (k *keeper) Run(ctx context.Context) error {
	backoff := firstBackoff
	for attempt := 0; ctx.Err() == nil; attempt++ {
		url := k.cfg.URLs[attempt%len(k.cfg.URLs)]
		l, err := k.dial(ctx, url)
		if err != nil {
			k.metrics.failures.Inc()
			k.changed(ctx, err)
			k.log.Warn("broker not reachable, trying again", "err", err, "in", backoff)
			pause(ctx, backoff)
			backoff = min(2*backoff, lastBackoff)
			continue
		}
		backoff = firstBackoff
		k.serve(ctx, l)
	}
	return nil
}

// serve makes the link available until it or ctx ends.
func (k *keeper) serve(ctx context.Context, l Link) {
	k.log.Info("connected to the broker", "broker", l.Peer())
	k.set(l)
	k.metrics.connected.Set(1)
	k.changed(ctx, nil)
	select {
	case <-l.Ended():
		k.log.Warn("link to the broker lost", "broker", l.Peer(), "err", l.Reason())
		k.changed(ctx, fmt.Errorf("link to %s lost: %w", l.Peer(), l.Reason()))
	case <-ctx.Done():
	}
	k.metrics.connected.Set(0)
	k.set(nil)
	l.Close()
}

// changed tells whoever wants to know; an attempt cut short by the end is no news.
func (k *keeper) changed(ctx context.Context, err error) {
	if k.opts.Changed != nil && ctx.Err() == nil {
		k.opts.Changed(err)
	}
}

func (k *keeper) set(l Link) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.link = l
	if l != nil {
		close(k.up)
	} else {
		k.up = make(chan struct{})
	}
}

func (k *keeper) current() (Link, <-chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.link, k.up
}

// await returns the link as soon as there is one.
func (k *keeper) await(ctx context.Context) (Link, error) {
	for {
		l, up := k.current()
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
func (k *keeper) Ready(ctx context.Context) error {
	_, err := k.await(ctx)
	return err
}

// Connected implements Bus.
func (k *keeper) Connected() bool {
	l, _ := k.current()
	return l != nil
}

// Publish implements Bus.
func (k *keeper) Publish(ctx context.Context, exchange string, m *Message) error {
	l, _ := k.current()
	err := ErrNotConnected
	if l != nil {
		err = l.Publish(ctx, exchange, m)
	}
	k.metrics.published.WithLabelValues(outcome(err)).Inc()
	return err
}

// Subscribe implements Bus.
func (k *keeper) Subscribe(ctx context.Context, s Subscription) (<-chan *Delivery, error) {
	if s.Queue == "" && len(s.Bindings) == 0 {
		return nil, errors.New("subscribe: a server-named queue without a binding receives nothing")
	}
	if s.Prefetch == 0 {
		s.Prefetch = 256
	}
	out := make(chan *Delivery, s.Prefetch)
	go k.consume(ctx, s, out)
	return out, nil
}

// consume runs until ctx ends; the closed channel tells the subscriber that it
// has.
func (k *keeper) consume(ctx context.Context, s Subscription, out chan<- *Delivery) {
	defer close(out)
	for {
		l, err := k.await(ctx)
		if err != nil {
			return
		}
		err = l.Consume(ctx, &s, func(d *Delivery) bool {
			k.metrics.delivered.Inc()
			return send(ctx, out, d)
		})
		if ctx.Err() != nil {
			return
		}
		k.log.Warn("subscription interrupted, taking it up again", "queue", s.Queue, "err", err)
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
