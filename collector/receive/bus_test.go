package receive_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"thump/internal/bus"
	"thump/internal/telemetry"
)

// memoryBus keeps what is published, and delivers what a test puts in a queue.
type memoryBus struct {
	mu        sync.Mutex
	published []*bus.Message // guarded by mu
	rejected  []*bus.Message // guarded by mu
	acked     []int          // guarded by mu
	err       error          // of Publish; guarded by mu
	queues    map[string]chan *bus.Delivery
}

func newMemoryBus() *memoryBus {
	return &memoryBus{queues: map[string]chan *bus.Delivery{
		telemetry.TelegrafQueue: make(chan *bus.Delivery, 10), telemetry.OTLPQueue: make(chan *bus.Delivery, 10),
	}}
}

func (b *memoryBus) Run(ctx context.Context) error { <-ctx.Done(); return nil }
func (b *memoryBus) Ready(context.Context) error   { return nil }
func (b *memoryBus) Connected() bool               { return true }

func (b *memoryBus) Publish(_ context.Context, exchange string, m *bus.Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.err != nil:
		return b.err
	case exchange == "" && m.Key == telemetry.RejectedQueue:
		b.rejected = append(b.rejected, m)
	case exchange == telemetry.MetricsExchange && !m.Transient:
		b.published = append(b.published, m)
	default:
		return errors.New("not where metrics go")
	}
	return nil
}

func (b *memoryBus) Subscribe(ctx context.Context, s bus.Subscription) (<-chan *bus.Delivery, error) {
	in, out := b.queues[s.Queue], make(chan *bus.Delivery)
	if in == nil {
		return nil, errors.New("unknown queue " + s.Queue)
	}
	go func() {
		defer close(out)
		for {
			select {
			case d := <-in:
				out <- d
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

// deliver puts a message in a queue; n tells it apart among the acknowledged.
func (b *memoryBus) deliver(queue string, n int, m bus.Message) {
	b.queues[queue] <- bus.NewDelivery(m, func(bool) error {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.acked = append(b.acked, n)
		return nil
	}, func() error { return errors.New("rejected by itself") })
}

func (b *memoryBus) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
}

// samples are what was published since the last call, one line each, sorted.
func (b *memoryBus) samples(t *testing.T) string {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	var lines []string
	for _, m := range b.published {
		err := telemetry.Decode(m, func(s *telemetry.Series) error {
			line := fmt.Sprintf("[%s] %s", m.Headers[telemetry.HostHeader], s.Name())
			for _, l := range s.Labels {
				if l.Name != telemetry.NameLabel {
					line += fmt.Sprintf(" %s=%s", l.Name, l.Value)
				}
			}
			for _, p := range s.Samples {
				lines = append(lines, fmt.Sprintf("%s %v", line, p.Value))
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	b.published = nil
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func (b *memoryBus) acknowledged() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.acked)
}

func until(t *testing.T, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatal("it did not happen within 10 s")
		}
		time.Sleep(time.Millisecond)
	}
}
