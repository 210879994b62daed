package dashboard_test

import (
	"context"
	"slices"
	"sync"

	"thump/internal/bus"
	"thump/internal/telemetry"
)

// memoryBus carries messages in memory, and can be cut.
type memoryBus struct {
	// publishing is held while a message is on its way, and mu never is: the
	// subscriber may ask whether the bus is connected before it takes one.
	publishing sync.Mutex

	mu      sync.Mutex
	cut     bool             // guarded by mu
	streams []*memoryStream  // guarded by mu
	sub     bus.Subscription // guarded by mu; the last that was asked for
}

type memoryStream struct {
	ctx      context.Context
	bindings []bus.Binding
	out      chan *bus.Delivery
}

// wants tells whether a message reaches the stream: none is bound by a pattern.
func (s *memoryStream) wants(exchange, key string) bool {
	return slices.ContainsFunc(s.bindings, func(b bus.Binding) bool {
		return b.Source == exchange && (b.Key == "" || b.Key == key)
	})
}

func (b *memoryBus) Run(ctx context.Context) error  { <-ctx.Done(); return nil }
func (b *memoryBus) Ready(context.Context) error    { return nil }
func (b *memoryBus) Connected() bool                { b.mu.Lock(); defer b.mu.Unlock(); return !b.cut }
func (b *memoryBus) setCut(cut bool)                { b.mu.Lock(); defer b.mu.Unlock(); b.cut = cut }
func (b *memoryBus) subscription() bus.Subscription { b.mu.Lock(); defer b.mu.Unlock(); return b.sub }

func (b *memoryBus) Subscribe(ctx context.Context, s bus.Subscription) (<-chan *bus.Delivery, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	stream := &memoryStream{ctx: ctx, bindings: s.Bindings, out: make(chan *bus.Delivery)}
	b.streams, b.sub = append(b.streams, stream), s
	context.AfterFunc(ctx, func() {
		b.publishing.Lock()
		defer b.publishing.Unlock()
		close(stream.out)
	})
	return stream.out, nil
}

func (b *memoryBus) now() ([]*memoryStream, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.streams), b.cut
}

// Publish returns when each subscriber has taken the message.
func (b *memoryBus) Publish(_ context.Context, exchange string, m *bus.Message) error {
	b.publishing.Lock()
	defer b.publishing.Unlock()
	streams, cut := b.now()
	if cut {
		return bus.ErrNotConnected
	}
	for _, s := range streams {
		if !s.wants(exchange, m.Key) {
			continue
		}
		settled := func() error { panic("settled, though the subscription is without acknowledgement") }
		d := bus.NewDelivery(*m, func(bool) error { return settled() }, settled)
		d.Exchange = exchange
		select {
		case s.out <- d:
		case <-s.ctx.Done():
		}
	}
	return nil
}

// series is a series with one sample; labels are name, value, name, value…
func series(name string, at int64, v float64, labels ...string) telemetry.Series {
	s := telemetry.Series{Labels: []telemetry.Label{{Name: telemetry.NameLabel, Value: name}}}
	for i := 0; i < len(labels); i += 2 {
		s.Labels = append(s.Labels, telemetry.Label{Name: labels[i], Value: labels[i+1]})
	}
	s.Samples = []telemetry.Sample{{Time: at, Value: v}}
	return s
}
