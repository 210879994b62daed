package agent

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"thump/internal/bus"
	"thump/internal/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var silent = slog.New(slog.DiscardHandler)

// scripted is a bus that does what a test says.
type scripted struct {
	bus.Bus

	mu        sync.Mutex
	connected bool
	up        chan struct{} // closed while connected
	answer    func(ctx context.Context, attempt int, m *bus.Message) error
	attempts  int
	arrived   []arrival
	reports   []*bus.Message
	own       bus.Subscription // the agent's own queue
	control   chan *bus.Delivery
}

// Subscribe takes the subscription of the agent's own queue, on which tell delivers.
func (b *scripted) Subscribe(ctx context.Context, s bus.Subscription) (<-chan *bus.Delivery, error) {
	out := make(chan *bus.Delivery)
	b.mu.Lock()
	b.own, b.control = s, out
	b.mu.Unlock()
	go func() {
		if b.Ready(ctx) == nil {
			s.Taken()
		}
		<-ctx.Done()
	}()
	return out, nil
}

// tell delivers a message to the agent.
func (b *scripted) tell(m *bus.Message) {
	b.mu.Lock()
	c := b.control
	b.mu.Unlock()
	c <- bus.NewDelivery(*m, nil, nil)
}

// reported are the agent's reports.
func (b *scripted) reported() []*bus.Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.reports)
}

// arrival is a message that reached the broker.
type arrival struct {
	at time.Time
	m  *bus.Message
}

func newScripted(connected bool) *scripted {
	b := &scripted{up: make(chan struct{})}
	if connected {
		b.connect()
	}
	return b
}

func (b *scripted) connect() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.connected = true
	close(b.up)
}

func (b *scripted) disconnect() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.connected, b.up = false, make(chan struct{})
}

func (b *scripted) Connected() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.connected
}

func (b *scripted) Ready(ctx context.Context) error {
	b.mu.Lock()
	up := b.up
	b.mu.Unlock()
	select {
	case <-up:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Publish answers as the script says; a message that is answered with nil, or with
// ErrLinkLost, has arrived.
func (b *scripted) Publish(ctx context.Context, exchange string, m *bus.Message) error {
	b.mu.Lock()
	if exchange == telemetry.RequestExchange {
		defer b.mu.Unlock()
		if !b.connected {
			return bus.ErrNotConnected
		}
		b.reports = append(b.reports, m)
		return nil
	}
	b.attempts++
	attempt, connected, answer := b.attempts, b.connected, b.answer
	b.mu.Unlock()
	if !connected {
		return bus.ErrNotConnected
	}
	var err error
	if answer != nil {
		err = answer(ctx, attempt, m)
	}
	if err == nil || err == bus.ErrLinkLost {
		b.mu.Lock()
		b.arrived = append(b.arrived, arrival{time.Now(), m})
		b.mu.Unlock()
	}
	return err
}

func (b *scripted) arrivals() []arrival {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.arrived)
}

// tried is how often something was published.
func (b *scripted) tried() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.attempts
}
