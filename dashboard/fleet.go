package dashboard

import (
	"errors"
	"slices"
	"time"

	"thump/internal/bus"
	"thump/internal/formats"
	"thump/internal/roster"
	"thump/internal/telemetry"
)

// Reasons why a message is not shown.
var (
	errNoHost = errors.New("message without a host header")
	errFull   = errors.New("more hosts than max_hosts")
)

// fleet is every host that was heard on the bus, as it last reported. It is not
// safe for concurrent use.
type fleet struct {
	cfg     Config
	metrics *metrics
	decoder *telemetry.Decoder
	roster  *roster.Roster
	hosts   map[string]*host
	changed []*host // whose row the overview has not been told; each once
	refs    uint32  // references of series given out
	rate    rate    // of samples received
	swept   time.Time
	update  update // of the message being taken; its slices are reused
}

func newFleet(cfg Config, m *metrics, now time.Time) *fleet {
	return &fleet{
		cfg: cfg, metrics: m, decoder: telemetry.NewDecoder(0, formats.All()...),
		roster: roster.New(now), hosts: map[string]*host{}, swept: now,
	}
}

// take applies one message. What it returns is valid until the next call, and nil
// if the message is of no host that is kept; of a message that is broken in the
// middle, what stands before is applied.
func (f *fleet) take(m *bus.Message, now time.Time) (*update, error) {
	o := telemetry.OriginOf(m)
	if o.Host == "" {
		return nil, errNoHost
	}
	h := f.host(o.Host)
	if h == nil {
		return nil, errFull
	}
	f.seen(h, o, now)
	f.update.reset(h, o.Probe)
	before := len(h.series)
	err := f.decoder.Decode(m, func(r *telemetry.Run) error {
		f.apply(r.Series(), now)
		return nil
	})
	f.metrics.series.Add(float64(len(h.series) - before))
	h.glance.look(h, now)
	f.touch(h)
	return &f.update, err
}

// host finds a host or makes room for it; nil if there is none.
func (f *fleet) host(name string) *host {
	if h := f.hosts[name]; h != nil {
		return h
	}
	if len(f.hosts) >= f.cfg.MaxHosts && !f.forgetSilent() {
		f.metrics.unshown.WithLabelValues("max_hosts").Inc()
		return nil
	}
	h := newHost(name)
	f.hosts[name] = h
	f.metrics.hosts.Set(float64(len(f.hosts)))
	return h
}

// forgetSilent makes room by the host that is silent for longest.
func (f *fleet) forgetSilent() bool {
	var oldest *host
	for _, h := range f.hosts {
		if h.silent && (oldest == nil || h.seen.Before(oldest.seen)) {
			oldest = h
		}
	}
	if oldest == nil {
		return false
	}
	f.forget(oldest.name)
	return true
}

// forget drops a host, until it reports again; false if it is not there.
func (f *fleet) forget(name string) bool {
	h := f.hosts[name]
	if h == nil {
		return false
	}
	delete(f.hosts, name)
	f.roster.Retire(name)
	f.changed = slices.DeleteFunc(f.changed, func(c *host) bool { return c == h })
	f.metrics.hosts.Set(float64(len(f.hosts)))
	f.metrics.series.Sub(float64(len(h.series)))
	return true
}

func (f *fleet) seen(h *host, o telemetry.Origin, now time.Time) {
	if o.Interval > 0 { // else it may never publish again, and is not silent then
		f.roster.Seen(h.name, o.Group, o.Probe, o.Interval, now)
	}
	h.group, h.seen, h.silent = o.Group, now, false
	h.setInterval(o.Probe, o.Interval)
}

// apply takes the samples of one series of the update's host.
func (f *fleet) apply(in *telemetry.Series, now time.Time) {
	f.rate.add(len(in.Samples), now)
	f.metrics.samples.Add(float64(len(in.Samples)))
	if len(in.Samples) == 0 {
		return
	}
	h := f.update.host
	s := h.find(in)
	if s == nil {
		if len(h.series) >= f.cfg.MaxSeries {
			f.metrics.unshown.WithLabelValues("max_series").Add(float64(len(in.Samples)))
			return
		}
		f.refs++
		s = h.add(in, f.refs)
		f.update.fresh = append(f.update.fresh, s)
	}
	for _, p := range in.Samples {
		if s.take(p, now) {
			f.update.points = append(f.update.points, point{s.ref, p})
		}
	}
}

func (f *fleet) touch(h *host) {
	if !h.changed {
		h.changed = true
		f.changed = append(f.changed, h)
	}
}

// takeChanged returns the hosts whose rows changed since it was last called.
func (f *fleet) takeChanged() []*host {
	changed := f.changed
	f.changed = nil
	for _, h := range changed {
		h.changed = false
	}
	return changed
}

// fall marks and returns the hosts that have fallen silent.
func (f *fleet) fall(now time.Time) []*host {
	var fell []*host
	for _, r := range f.roster.Fall(now) {
		h := f.hosts[r.Name]
		h.silent = true
		fell = append(fell, h)
	}
	return fell
}

// linkChanged makes silence count anew once the bus is back: while it was cut
// nothing could be heard from anyone.
func (f *fleet) linkChanged(up bool, now time.Time) {
	if up {
		f.roster.Resume(now)
	}
}

// Series that have not reported for staleAfter are forgotten: unmounted file
// systems, interfaces of containers that are gone.
const (
	staleAfter = 10 * time.Minute
	sweepEvery = time.Minute
)

// sweep forgets stale series, except those of silent hosts, which show the last
// that is known.
func (f *fleet) sweep(now time.Time) {
	if now.Sub(f.swept) < sweepEvery {
		return
	}
	f.swept = now
	total := 0
	for _, h := range f.hosts {
		if !h.silent {
			h.forget(now.Add(-max(staleAfter, 3*h.slowest())))
		}
		total += len(h.series)
	}
	f.metrics.series.Set(float64(total))
}
