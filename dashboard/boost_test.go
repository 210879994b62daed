package dashboard

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"thump/internal/bus"
	"thump/internal/control"
	"thump/internal/telemetry"
)

// asked notes which hosts are asked for a boost, and when.
type asked struct {
	bus.Bus
	t *testing.T

	mu  sync.Mutex
	at  map[string][]time.Time
	err error
}

func (b *asked) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
}

func (b *asked) Publish(_ context.Context, exchange string, m *bus.Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var want control.Boost
	if err := control.Decode(m, &want); err != nil || want.Check() != nil || exchange != telemetry.ControlExchange || m.Key != control.HostKey(want.Host) {
		b.t.Errorf("asked %s %q for %s: %v", exchange, m.Key, m.Body, err)
	}
	b.at[want.Host] = append(b.at[want.Host], time.Now())
	return b.err
}

// TestBoosts: one request every 30 s for each host looked at, however many look,
// at once for one that is new, and none when nobody does.
func TestBoosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &asked{t: t, at: map[string][]time.Time{}}
		m := newMetrics(prometheus.NewRegistry())
		h := newHub(DefaultConfig(), m)
		boosts := newBoosts(b, slog.New(slog.DiscardHandler), m)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); boosts.run(ctx) }()
		began := time.Now()
		var one *browser
		for second := range 120 {
			switch second {
			case 0:
				one = h.join("web 01")
				h.join("web 01")
				h.join(allHosts)
			case 10:
				h.join("db")
			case 50:
				h.leave(one)
			case 70:
				b.fail(errors.New("nobody there"))
			}
			boosts.look(h.watched(), time.Now())
			time.Sleep(time.Second)
		}
		cancel()
		<-done
		for host, want := range map[string][]time.Duration{"web 01": {0, 30, 60, 90}, "db": {10, 40, 70, 100}} {
			got := b.at[host]
			if len(got) != len(want) {
				t.Errorf("%s was asked at %v", host, got)
				continue
			}
			for i := range want {
				if d := got[i].Sub(began); d != want[i]*time.Second {
					t.Errorf("%s was asked after %v, want %v s", host, d, want[i])
				}
			}
		}
		if sent, failed := testutil.ToFloat64(m.boosts.WithLabelValues("sent")), testutil.ToFloat64(m.boosts.WithLabelValues("failed")); sent != 5 || failed != 3 {
			t.Errorf("%v sent, %v failed", sent, failed)
		}
	})
}
