package dashboard

import (
	"context"
	"log/slog"
	"time"

	"thump/internal/bus"
	"thump/internal/config"
	"thump/internal/control"
	"thump/internal/telemetry"
)

const (
	// boostEvery is how often a host that is looked at is asked to measure more
	// often. It goes back by itself boostFor after the last time.
	boostEvery    = 30 * time.Second
	boostFor      = 45 * time.Second
	boostInterval = time.Second
	boostWithin   = 5 * time.Second // for the broker to confirm
	maxBoosts     = 64              // that wait to be sent; more are left out, and due again
)

// boosted are the probes behind the plots of a host's page.
var boosted = []string{"cpu", "memory", "load", "network", "disk"}

// boosts asks agents to measure every second while somebody looks at their host.
type boosts struct {
	// Static after construction.
	bus     bus.Bus
	log     *slog.Logger
	metrics *metrics
	due     chan string // hosts

	asked map[string]time.Time // when, of the hosts looked at; owned by Dashboard.Run
}

func newBoosts(b bus.Bus, log *slog.Logger, m *metrics) *boosts {
	return &boosts{bus: b, log: log, metrics: m, due: make(chan string, maxBoosts), asked: map[string]time.Time{}}
}

// look takes the hosts that are looked at now. It does not wait.
func (b *boosts) look(hosts []string, now time.Time) {
	still := make(map[string]time.Time, len(hosts))
	for _, h := range hosts {
		still[h] = b.asked[h]
		if now.Sub(b.asked[h]) < boostEvery {
			continue
		}
		select {
		case b.due <- h:
			still[h] = now
		default:
		}
	}
	b.asked = still
}

// run asks until ctx ends.
func (b *boosts) run(ctx context.Context) {
	for {
		select {
		case h := <-b.due:
			b.ask(ctx, h)
		case <-ctx.Done():
			return
		}
	}
}

// ask publishes one request. A host whose agent is not there, or is a script, has
// no queue for it.
func (b *boosts) ask(ctx context.Context, host string) {
	m, err := control.Encode(control.BoostType, control.HostKey(host), &control.Boost{
		Host: host, Probes: boosted, Interval: config.Duration(boostInterval), For: config.Duration(boostFor),
	})
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, boostWithin)
		defer cancel()
		err = b.bus.Publish(ctx, telemetry.ControlExchange, m)
	}
	if err != nil {
		b.metrics.boosts.WithLabelValues("failed").Inc()
		b.log.Debug("host not asked to measure more often", "host", host, "err", err)
		return
	}
	b.metrics.boosts.WithLabelValues("sent").Inc()
}
