package live

import (
	"context"
	"time"

	"thump/internal/bus"
	"thump/internal/config"
	"thump/internal/control"
	"thump/internal/telemetry"
)

const (
	// boostEvery is how often a host that is watched is asked to measure more often.
	// It goes back by itself boostFor after the last time.
	boostEvery  = 30 * time.Second
	boostFor    = 45 * time.Second
	boostWithin = 5 * time.Second // for the broker to confirm
)

// cheap are the probes that may run every second on any host.
var cheap = []string{"cpu", "memory", "load", "network", "disk"}

// boosts are the requests to the hosts that a plan names: in its expression, or by
// the host's word of the key.
func (p *plan) boosts() []*control.Boost {
	probes := cheap
	if probe := p.word(2); probe != "" {
		probes = []string{probe}
	}
	hosts := p.hosts
	if host := p.word(1); len(hosts) == 0 && host != "" {
		hosts = []string{host}
	}
	var all []*control.Boost
	for _, h := range hosts {
		all = append(all, &control.Boost{Host: h, Probes: probes, Interval: p.boostInterval(), For: config.Duration(boostFor)})
	}
	return all
}

func (p *plan) boostInterval() config.Duration {
	return config.Duration(max(time.Duration(p.Every), control.MinBoostInterval))
}

// boost asks the hosts of a plan until ctx ends.
func (l *Live) boost(ctx context.Context, b bus.Bus, p *plan) {
	wanted := p.boosts()
	if p.NoBoost || len(wanted) == 0 {
		return
	}
	tick := time.NewTicker(boostEvery / 3)
	defer tick.Stop()
	for b.Ready(ctx) == nil {
		for _, w := range wanted {
			l.ask(ctx, b, w)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// ask publishes a request unless another panel has just done so.
func (l *Live) ask(ctx context.Context, b bus.Bus, boost *control.Boost) {
	m, err := control.Encode(control.BoostType, control.HostKey(boost.Host), boost)
	if err != nil || !l.due(string(m.Body), time.Now()) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, boostWithin)
	defer cancel()
	if err := b.Publish(ctx, telemetry.ControlExchange, m); err != nil {
		// A host whose agent is not there, or is a script, has no queue for it.
		l.log.Debug("host not asked to measure more often", "host", boost.Host, "err", err)
	}
}

// due tells whether a request was not made lately, and notes that it is.
func (l *Live) due(request string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for r, at := range l.boosted {
		if now.Sub(at) >= boostEvery {
			delete(l.boosted, r)
		}
	}
	if _, lately := l.boosted[request]; lately {
		return false
	}
	l.boosted[request] = now
	return true
}
