// Package tap is the window of a pipeline on Redis for people and scripts. What
// passes is shown as JSON on the channels thump.metrics.GROUP.HOST.PROBE,
//
//	redis-cli PSUBSCRIBE 'thump.metrics.*'
//
// and what others publish there is taken in as a metric:
//
//	redis-cli PUBLISH thump.metrics.web.web01.orders '{"name":"orders_total","value":1}'
//
// Each server process has a tap, and one at a time works: it holds a lease, so
// that a metric is taken in once. Channels are live or nothing: what is published
// while no tap holds the lease, for at most streams.LeaseTime after a kill, is
// not taken, and PUBLISH says so by answering how many have heard it.
package tap

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"thump/internal/bus"
	"thump/internal/bus/redis/streams"
	"thump/internal/telemetry"
)

const (
	// Prefix of the channels; the routing key follows.
	Prefix = "thump.metrics."
	// pattern is all of them, spelt so that nobody else's is the same: Redis
	// counts those that differ.
	pattern = "thump.[m]etrics.*"
	// viaHeader marks what was taken in: it has been on its channel already.
	viaHeader  = "via"
	viaChannel = "channel"

	every = time.Second
)

// Deps are what a tap works with.
type Deps struct {
	Bus        bus.Bus
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Tap shows what passes and takes in what others publish.
type Tap struct {
	store   *streams.Store
	bus     bus.Bus
	log     *slog.Logger
	metrics *metrics
}

// New returns a tap on the Redis of a URL.
func New(url string, d Deps) (*Tap, error) {
	store, err := streams.Open(url, "thump-tap", nil)
	if err != nil {
		return nil, fmt.Errorf("tap %s: %w", bus.Redact(url), err)
	}
	return &Tap{store: store, bus: d.Bus, log: d.Logger, metrics: newMetrics(d.Registerer)}, nil
}

// Run works whenever it holds the lease, until ctx ends.
func (t *Tap) Run(ctx context.Context) error {
	m := t.store.Member("tap", nil, rand.Text(), true)
	for ctx.Err() == nil {
		if _, err := m.Renew(ctx); err == nil {
			err = t.work(ctx, m)
			if ctx.Err() == nil {
				t.log.Warn("the tap of Redis's channels was interrupted, trying again", "err", err)
			}
		}
		pause(ctx, every)
	}
	return t.store.Close()
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// work runs both directions until one fails or the lease is lost.
func (t *Tap) work(ctx context.Context, m *streams.Member) error {
	g, ctx := errgroup.WithContext(ctx)
	ear, err := t.store.Listen(ctx, nil, []string{pattern})
	if err != nil {
		return fmt.Errorf("listen to %s: %w", pattern, err)
	}
	context.AfterFunc(ctx, func() { _ = ear.Close() })
	g.Go(func() error { return t.take(ctx, ear) })
	g.Go(func() error { return t.show(ctx) })
	g.Go(func() error { return keep(ctx, m) })
	return g.Wait()
}

// keep renews the lease, and gives it back at the end.
func keep(ctx context.Context, m *streams.Member) error {
	for ctx.Err() == nil {
		if _, err := m.Renew(ctx); err != nil {
			return fmt.Errorf("keep the lease: %w", err)
		}
		pause(ctx, every)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), every)
	defer cancel()
	return errors.Join(ctx.Err(), m.Release(last))
}

// take publishes as a metric what others say on the channels.
func (t *Tap) take(ctx context.Context, ear *streams.Ear) error {
	for {
		m, err := ear.Next(ctx)
		if err != nil {
			return fmt.Errorf("listen to %s: %w", pattern, err)
		}
		if bytes.HasPrefix([]byte(m.Payload), shownPrefix) {
			continue // our own voice
		}
		t.publish(ctx, m)
	}
}

// publish hands one on to whoever consumes metrics; whether it is one is theirs
// to say, as with every message.
func (t *Tap) publish(ctx context.Context, m *redis.Message) {
	err := t.bus.Publish(ctx, telemetry.MetricsExchange, &bus.Message{
		Key: strings.TrimPrefix(m.Channel, Prefix), ContentType: telemetry.JSONContentType, Type: telemetry.MetricsType,
		ID: "tap-" + rand.Text(), Time: time.Now(), Headers: map[string]string{viaHeader: viaChannel}, Body: []byte(m.Payload),
	})
	if err != nil {
		t.metrics.refused.Inc()
		t.log.Warn("a metric published on a channel was not taken", "channel", m.Channel, "err", err)
		return
	}
	t.metrics.taken.Inc()
}
