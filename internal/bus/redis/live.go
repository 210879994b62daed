package redis

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"thump/internal/bus"
	"thump/internal/bus/redis/streams"
)

// defaultBacklog is how many messages wait for a live subscriber that is slow;
// x-max-length of its queue says otherwise. The oldest go first.
const defaultBacklog = 1000

// listener is a live subscription: channels in Redis, and what waits to be taken.
type listener struct {
	// Static after construction.
	bindings []bus.Binding
	routes   *routes
	limit    int
	*shared
	came chan struct{} // holds one

	mu      sync.Mutex
	waiting []*bus.Delivery // guarded by mu
}

// listen hands over what passes until ctx ends or the channels fail.
func (l *link) listen(ctx context.Context, s *bus.Subscription, take func(*bus.Delivery) bool) error {
	r := l.routes.Load()
	n := &listener{bindings: s.Bindings, routes: r, limit: backlog(s.Args), shared: l.shared, came: make(chan struct{}, 1)}
	channels, patterns, err := r.channels(s.Bindings)
	if err != nil {
		return err
	}
	ear, err := l.store.Listen(ctx, channels, patterns)
	if err != nil {
		return fmt.Errorf("listen to %s: %w", s.Bindings[0].Source, err)
	}
	if s.Taken != nil {
		s.Taken()
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	closed := make(chan struct{})
	context.AfterFunc(ctx, func() { _ = ear.Close(); close(closed) })
	var hearing sync.WaitGroup
	hearing.Go(func() { fail(n.hear(ctx, ear)) })
	n.hand(ctx, take)
	fail(nil)
	<-closed
	hearing.Wait()
	return context.Cause(ctx)
}

// channels are what a server-named queue with these bindings hears.
func (r *routes) channels(bindings []bus.Binding) (channels, patterns []string, err error) {
	for _, b := range bindings {
		kind, ok := r.kinds[b.Source]
		name := channel(kind, b.Source, b.Key)
		switch {
		case !ok:
			return nil, nil, fmt.Errorf("bind to %s: there is no such exchange", b.Source)
		case kind == "topic" && strings.ContainsAny(b.Key, "*#"):
			patterns = append(patterns, channel(kind, escape(b.Source), glob(b.Key)))
		default:
			channels = append(channels, name)
		}
	}
	return channels, patterns, nil
}

// glob is a pattern of Redis that lets through all that a topic key takes, and
// more: its * does not end at a dot.
func glob(key string) string {
	words := strings.Split(key, ".")
	for i, w := range words {
		switch w {
		case "*":
		case "#":
			return escape(strings.Join(words[:i], ".")) + "*"
		default:
			words[i] = escape(w)
		}
	}
	return strings.Join(words, ".")
}

// escape keeps Redis from reading a name as a pattern.
func escape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`).Replace(s)
}

func backlog(args bus.Args) int {
	switch n := args["x-max-length"].(type) {
	case int32:
		return int(n)
	case int64:
		return int(n)
	case int:
		return n
	}
	return defaultBacklog
}

// hear puts what passes where it waits.
func (n *listener) hear(ctx context.Context, ear *streams.Ear) error {
	for {
		m, err := ear.Next(ctx)
		if err != nil {
			return fmt.Errorf("listen: %w", err)
		}
		fields, err := streams.Unpack(m.Payload)
		if err != nil {
			n.opts.Logger.Debug("what is no message of ours came over a channel", "channel", m.Channel, "err", err)
			continue
		}
		exchange, message := fromFields(fields)
		if n.first(m, message.Key) {
			d := bus.NewDelivery(message, func(bool) error { return nil }, func() error { return nil })
			d.Exchange = exchange
			n.put(d)
		}
	}
}

// first tells whether a message came by the first of our bindings that takes it:
// Redis sends it once for each.
func (n *listener) first(m *redis.Message, key string) bool {
	for _, b := range n.bindings {
		kind := n.routes.kinds[b.Source]
		if m.Channel != channel(kind, b.Source, key) || !matches(kind, b.Key, key) {
			continue
		}
		if kind == "topic" && strings.ContainsAny(b.Key, "*#") {
			return m.Pattern == channel(kind, escape(b.Source), glob(b.Key))
		}
		return m.Pattern == ""
	}
	return false
}

// put adds a delivery; for room the oldest goes.
func (n *listener) put(d *bus.Delivery) {
	n.mu.Lock()
	if len(n.waiting) >= n.limit {
		n.waiting = n.waiting[1:]
		n.metrics.missed.Inc()
	}
	n.waiting = append(n.waiting, d)
	n.mu.Unlock()
	signal(n.came)
}

// hand gives what waits to the subscriber.
func (n *listener) hand(ctx context.Context, take func(*bus.Delivery) bool) {
	for {
		n.mu.Lock()
		waiting := n.waiting
		n.waiting = nil
		n.mu.Unlock()
		for _, d := range waiting {
			if !take(d) {
				return
			}
		}
		select {
		case <-n.came:
		case <-ctx.Done():
			return
		}
	}
}
