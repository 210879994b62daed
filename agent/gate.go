package agent

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// Pause after a batch was not confirmed: doubled from the first to the last, and
// drawn at random from half of it upwards.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 10 * time.Second
)

// gate keeps batches from being published while that fails.
type gate struct {
	log *slog.Logger // static after construction

	mu    sync.Mutex
	pause time.Duration // 0: the last batch was confirmed; guarded by mu
	until time.Time     // guarded by mu
}

func newGate(log *slog.Logger) *gate { return &gate{log: log} }

// wait waits until the gate is open, or returns false when ctx ends.
func (g *gate) wait(ctx context.Context) bool {
	for ctx.Err() == nil {
		d := time.Until(g.closedUntil())
		if d <= 0 {
			return true
		}
		t := time.NewTimer(d)
		select {
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
	}
	return false
}

func (g *gate) closedUntil() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.until
}

// fail closes the gate for a while; failures that come in while it is closed, of
// batches sent before, do not prolong that.
func (g *gate) fail(now time.Time, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now.Before(g.until) {
		return
	}
	if g.pause == 0 {
		g.log.Warn("batch not confirmed by the broker, it stays in the spool", "err", err)
	}
	g.pause = min(max(2*g.pause, firstPause), lastPause)
	g.until = now.Add(g.pause/2 + rand.N(g.pause/2))
}

// pass notes that a batch was confirmed.
func (g *gate) pass() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.pause > 0 {
		g.log.Info("batches are confirmed again")
	}
	g.pause, g.until = 0, time.Time{}
}
