package collector_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"thump/internal/bus"
	"thump/internal/telemetry"
)

// memoryBus is a bus of one queue in memory. What was delivered and not
// acknowledged comes again after drop.
type memoryBus struct {
	mu       sync.Mutex
	arrived  *sync.Cond
	queue    []*bus.Message          // guarded by mu
	unacked  map[uint64]*bus.Message // guarded by mu
	order    []uint64                // of unacked, oldest first; guarded by mu
	next     uint64                  // guarded by mu
	epoch    int                     // of the link; guarded by mu
	down     bool                    // guarded by mu
	acked    int                     // guarded by mu
	rejected []*bus.Message          // guarded by mu
}

func newMemoryBus() *memoryBus {
	b := &memoryBus{unacked: map[uint64]*bus.Message{}}
	b.arrived = sync.NewCond(&b.mu)
	return b
}

// Run implements bus.Bus.
func (b *memoryBus) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// Ready implements bus.Bus.
func (b *memoryBus) Ready(context.Context) error { return nil }

// Connected implements bus.Bus.
func (b *memoryBus) Connected() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.down
}

// Publish implements bus.Bus.
func (b *memoryBus) Publish(_ context.Context, _ string, m *bus.Message) error {
	b.publishAll([]*bus.Message{m})
	return nil
}

func (b *memoryBus) publishAll(ms []*bus.Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queue = append(b.queue, ms...)
	b.arrived.Broadcast()
}

// setDown cuts or restores the link; unacknowledged messages go back.
func (b *memoryBus) setDown(down bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.down = down
	b.epoch++
	var back []*bus.Message
	for _, tag := range b.order {
		if m := b.unacked[tag]; m != nil {
			back = append(back, m)
		}
	}
	b.queue = append(back, b.queue...)
	b.order, b.unacked = nil, map[uint64]*bus.Message{}
	b.arrived.Broadcast()
}

// Subscribe implements bus.Bus.
func (b *memoryBus) Subscribe(ctx context.Context, s bus.Subscription) (<-chan *bus.Delivery, error) {
	if s.Queue != telemetry.HistoryQueue { // nothing comes by the others
		idle := make(chan *bus.Delivery)
		context.AfterFunc(ctx, func() { close(idle) })
		return idle, nil
	}
	if !s.Exclusive || s.Queue == "" || s.Prefetch == 0 {
		return nil, errors.New("not the subscription of a collector")
	}
	out := make(chan *bus.Delivery, s.Prefetch)
	stop := context.AfterFunc(ctx, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.arrived.Broadcast()
	})
	go func() {
		defer close(out)
		defer stop()
		for {
			d := b.take(ctx, s.Prefetch)
			if d == nil {
				return
			}
			select {
			case out <- d:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

// take waits for the next message that may be delivered.
func (b *memoryBus) take(ctx context.Context, prefetch int) *bus.Delivery {
	b.mu.Lock()
	defer b.mu.Unlock()
	for ctx.Err() == nil && (b.down || len(b.queue) == 0 || len(b.unacked) >= prefetch) {
		b.arrived.Wait()
	}
	if ctx.Err() != nil {
		return nil
	}
	m := b.queue[0]
	b.queue = b.queue[1:]
	b.next++
	tag, epoch := b.next, b.epoch
	b.unacked[tag] = m
	b.order = append(b.order, tag)
	return bus.NewDelivery(*m,
		func(multiple bool) error { return b.settle(epoch, tag, multiple, false) },
		func() error { return b.settle(epoch, tag, false, true) })
}

func (b *memoryBus) settle(epoch int, tag uint64, multiple, reject bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if epoch != b.epoch {
		return errors.New("link lost")
	}
	if b.unacked[tag] == nil {
		panic("delivery settled twice: a broker closes the channel for this")
	}
	if reject {
		b.rejected = append(b.rejected, b.unacked[tag])
		delete(b.unacked, tag)
	} else {
		b.ack(tag, multiple)
	}
	b.arrived.Broadcast()
	return nil
}

func (b *memoryBus) ack(tag uint64, multiple bool) {
	rest := b.order[:0]
	for _, t := range b.order {
		switch {
		case b.unacked[t] == nil:
		case t == tag, multiple && t < tag:
			delete(b.unacked, t)
			b.acked++
		default:
			rest = append(rest, t)
		}
	}
	b.order = rest
}

// unacknowledged is a new bus with all that would be delivered again.
func (b *memoryBus) unacknowledged() *memoryBus {
	b.mu.Lock()
	defer b.mu.Unlock()
	other := newMemoryBus()
	for _, tag := range b.order {
		if m := b.unacked[tag]; m != nil {
			other.queue = append(other.queue, m)
		}
	}
	other.queue = append(other.queue, b.queue...)
	return other
}

func (b *memoryBus) counts() (acked, rejected, waiting int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.acked, len(b.rejected), len(b.queue) + len(b.unacked)
}

// waitAcked waits until n messages in all are acknowledged.
func (b *memoryBus) waitAcked(t testing.TB, n int) {
	t.Helper()
	until(t, func() bool { acked, _, _ := b.counts(); return acked >= n })
}

// until polls a condition.
func until(t testing.TB, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatal("it did not happen within a minute")
		}
		time.Sleep(10 * time.Millisecond)
	}
}
