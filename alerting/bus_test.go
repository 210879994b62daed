package alerting_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"thump/internal/bus"
	"thump/internal/telemetry"
)

// memory is a bus in memory with one queue, that of alerting.
type memory struct {
	queue     chan *bus.Delivery
	cut       atomic.Bool
	refuses   atomic.Bool  // alerts
	acked     atomic.Int64 // messages
	rejected  atomic.Int64
	delivered atomic.Int64

	mu     sync.Mutex
	alerts []*bus.Message // guarded by mu
}

var _ bus.Bus = (*memory)(nil)

func newMemory() *memory { return &memory{queue: make(chan *bus.Delivery, 10_000)} }

func (m *memory) Run(ctx context.Context) error { <-ctx.Done(); return nil }
func (m *memory) Ready(context.Context) error   { return nil }
func (m *memory) Connected() bool               { return !m.cut.Load() }

func (m *memory) Publish(_ context.Context, exchange string, msg *bus.Message) error {
	switch exchange {
	case telemetry.AlertsExchange:
		if m.refuses.Load() {
			return bus.ErrLinkLost
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		m.alerts = append(m.alerts, msg)
	case telemetry.MetricsExchange, telemetry.ControlExchange:
		if msg.Headers[telemetry.ProbeHeader] == "alerting" {
			return nil // what rules write; see TestRecordedIsPublished
		}
		serial := m.delivered.Add(1)
		m.queue <- bus.NewDelivery(*msg, func(multiple bool) error {
			if multiple {
				m.acked.Store(serial)
			}
			return nil
		}, func() error { m.rejected.Add(1); return nil })
	default:
		return fmt.Errorf("exchange %s is not here", exchange)
	}
	return nil
}

func (m *memory) Subscribe(ctx context.Context, s bus.Subscription) (<-chan *bus.Delivery, error) {
	if s.Queue != telemetry.AlertingQueue || !s.Exclusive {
		return nil, fmt.Errorf("subscribed to %q, exclusive %t", s.Queue, s.Exclusive)
	}
	out := make(chan *bus.Delivery)
	go func() {
		defer close(out)
		for {
			select {
			case d := <-m.queue:
				select {
				case out <- d:
				case <-ctx.Done():
					m.queue <- d
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

// published returns the alerts published so far.
func (m *memory) published() []*bus.Message {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]*bus.Message(nil), m.alerts...)
}
