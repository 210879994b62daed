package collector

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/common/model"

	"thump/internal/bus"
	"thump/internal/telemetry"
)

const (
	refusalsEvery = 15 * time.Second
	// refusalsFor is how long it is told of a host that something of it was refused.
	refusalsFor    = time.Hour
	refusalsMetric = "thump_host_refused_samples_total"
	refusalsHelp   = "Samples of the host that history does not take, by reason."
	refusalsProbe  = "thump_limits" // in the routing key
)

// refusals know what of each host was refused, of late. They may be used from
// any goroutine.
type refusals struct {
	mu     sync.Mutex
	byHost map[string]*refused // guarded by mu
	fresh  bool                // there is a series that was never told; guarded by mu
}

// refused is what was refused of one host.
type refused struct {
	group   string
	samples map[string]uint64 // by reason
	last    time.Time
}

func newRefusals() *refusals { return &refusals{byHost: map[string]*refused{}} }

// add counts samples of a host; further hosts than maxHosts are not told apart.
func (r *refusals) add(o *telemetry.Origin, samples map[string]int, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.byHost[o.Host]
	if h == nil {
		if o.Host == "" || len(r.byHost) >= maxHosts {
			return
		}
		h = &refused{samples: map[string]uint64{}}
		r.byHost[o.Host] = h
	}
	h.group, h.last = o.Group, now
	for reason, n := range samples {
		r.fresh = r.fresh || h.samples[reason] == 0
		h.samples[reason] += uint64(n)
	}
}

// of is what was refused of a host; nil if nothing was.
func (r *refusals) of(host string) *refused {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.byHost[host]
	if h == nil {
		return nil
	}
	return &refused{group: h.group, samples: maps.Clone(h.samples), last: h.last}
}

func (r *refusals) forget(host string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.byHost, host)
}

// series are what is published of all hosts of late; those of before are
// forgotten.
func (r *refusals) series(now time.Time) (all []telemetry.Series) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fresh = false
	for host, h := range r.byHost {
		if now.Sub(h.last) > refusalsFor {
			delete(r.byHost, host)
			continue
		}
		for _, reason := range slices.Sorted(maps.Keys(h.samples)) {
			all = append(all, refusedSeries(host, h.group, reason, float64(h.samples[reason]), now))
		}
	}
	return all
}

func refusedSeries(host, group, reason string, n float64, now time.Time) telemetry.Series {
	return telemetry.Series{
		Labels: []telemetry.Label{
			{Name: model.MetricNameLabel, Value: refusalsMetric}, {Name: "group", Value: group}, {Name: "instance", Value: host},
			{Name: "job", Value: upJob}, {Name: "reason", Value: reason},
		},
		Type: telemetry.Counter, Help: refusalsHelp,
		Samples: []telemetry.Sample{{Time: now.UnixMilli(), Value: n}},
	}
}

// isFresh tells whether there is something to be told without delay.
func (r *refusals) isFresh() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fresh
}

// tellRefusals publishes what was refused, for alerting and all others, until ctx
// ends. The messages name no host: it is not the host that reports.
func (c *Collector) tellRefusals(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var enc telemetry.Encoder
	var told time.Time
	for {
		select {
		case now := <-tick.C:
			if now.Sub(told) < refusalsEvery && !c.refusals.isFresh() {
				continue
			}
			told = now
			for part := range slices.Chunk(c.refusals.series(now), 5000) {
				m := enc.Encode(&telemetry.Batch{Probe: refusalsProbe, Time: now, Series: part})
				c.tellRefused(ctx, m)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// tellRefused publishes one message. What is lost is said again by the next.
func (c *Collector) tellRefused(ctx context.Context, m *bus.Message) {
	ctx, cancel := context.WithTimeout(ctx, tellWithin)
	defer cancel()
	if err := c.bus.Publish(ctx, telemetry.MetricsExchange, m); err != nil {
		c.log.Debug("not told what was refused of hosts", "err", err)
	}
}
