package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"thump/internal/bus"
	"thump/internal/bus/redis"
	"thump/internal/telemetry"
)

// recorder publishes batches as an agent does, each until it is confirmed, and
// remembers which were.
type recorder struct {
	bus bus.Bus

	mu        sync.Mutex
	confirmed map[int64]float64 // value by time in Unix milliseconds
}

func newRecorder(t *testing.T, url string) *recorder {
	t.Helper()
	return record(t, bus.Config{URLs: []string{url}})
}

func record(t *testing.T, cfg bus.Config) *recorder {
	t.Helper()
	r := &recorder{bus: connectTo(t, cfg), confirmed: map[int64]float64{}}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { r.publish(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	return r
}

// connect returns a bus that is kept up until the test ends.
func connect(t *testing.T, url string) bus.Bus {
	t.Helper()
	return connectTo(t, bus.Config{URLs: []string{url}})
}

func connectTo(t *testing.T, cfg bus.Config) bus.Bus {
	t.Helper()
	b, err := bus.Open(cfg, bus.Options{
		Name: t.Name(), Topology: telemetry.Topology(), Logger: slog.New(slog.DiscardHandler),
		Transports: []bus.Transport{redis.Transport()},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var wg sync.WaitGroup
	wg.Go(func() { _ = b.Run(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	return b
}

func (r *recorder) publish(ctx context.Context) {
	var enc telemetry.Encoder
	for seq := uint64(1); ctx.Err() == nil; seq++ {
		now := time.Now()
		m := enc.Encode(&telemetry.Batch{
			Host: "recorder", Group: "test", Probe: "crash", Interval: time.Second, Boot: "b", Seq: seq, Time: now,
			Series: []telemetry.Series{{
				Labels:  []telemetry.Label{{Name: telemetry.NameLabel, Value: "crash_test"}},
				Samples: []telemetry.Sample{{Time: now.UnixMilli(), Value: float64(seq)}},
			}},
		})
		for ctx.Err() == nil {
			if r.bus.Publish(ctx, telemetry.MetricsExchange, m) == nil {
				r.mu.Lock()
				r.confirmed[now.UnixMilli()] = float64(seq)
				r.mu.Unlock()
				break
			}
			pause(ctx, 20*time.Millisecond)
		}
		pause(ctx, 2*time.Millisecond)
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

func (r *recorder) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.confirmed)
}

// soFar is what is confirmed by now: it goes on, and what is confirmed while
// history is asked need not be in the answer.
func (r *recorder) soFar() map[int64]float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.confirmed)
}

// TestKilledTenTimes kills the process while data flows: whatever was confirmed
// is in history afterwards, once.
func TestKilledTenTimes(t *testing.T) { onEach(t, killedTenTimes) }

func killedTenTimes(t *testing.T, url string) {
	p := upOn(t, url, t.TempDir())
	r := newRecorder(t, p.busURL())
	for i := range 10 {
		before := r.count()
		eventually(t, 20*time.Second, "batches confirmed", func() error {
			if n := r.count() - before; n < 50 {
				return fmt.Errorf("%d confirmed since restart %d", n, i)
			}
			return nil
		})
		time.Sleep(rand.N(200 * time.Millisecond))
		p.kill()
		p.start(t)
	}
	checkHistory(t, p, r)
	p.stop()
}

func checkHistory(t *testing.T, p *pipeline, r *recorder) {
	t.Helper()
	want := r.soFar()
	eventually(t, 20*time.Second, fmt.Sprintf("%d confirmed batches in history", len(want)), func() error {
		got, err := raw(t.Context(), p.url(), "crash_test", 10*time.Minute)
		if err != nil || len(got) != 1 {
			return fmt.Errorf("%d series, %w", len(got), err)
		}
		return compare(t, got[0].Values, want)
	})
	t.Logf("%d confirmed batches, all in history once", len(want))
}

// compare tells what is missing so far; a sample twice or with another value
// fails at once.
func compare(t *testing.T, got []point, want map[int64]float64) error {
	t.Helper()
	seen := map[int64]bool{}
	for _, p := range got {
		at := p.millis()
		v, err := strconv.ParseFloat(p.value, 64)
		if err != nil {
			t.Fatal(err)
		}
		if seen[at] {
			t.Fatalf("the sample of %d is there twice", at)
		}
		seen[at] = true
		if w, ok := want[at]; ok && w != v {
			t.Fatalf("the sample of %d is %v, want %v", at, v, w)
		}
	}
	var missing []int64
	for at := range want {
		if !seen[at] {
			missing = append(missing, at)
		}
	}
	if len(missing) > 0 {
		first, last := time.UnixMilli(slices.Min(missing)), time.UnixMilli(slices.Max(missing))
		return fmt.Errorf("%d of %d confirmed batches are missing, from %s to %s", len(missing), len(want), first.Format("15:04:05.000"), last.Format("15:04:05.000"))
	}
	return nil
}
