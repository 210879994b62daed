package alerting

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"thump/alerting/rules"
	"thump/alerting/store"
	"thump/internal/bus"
	"thump/internal/roster"
	"thump/internal/telemetry"
)

const (
	upMetric     = "up"
	offsetMetric = "thump_host_clock_offset_seconds" // of a host's clock from ours; positive: ahead
	nodeJob      = "node"
	agentProbe   = "agent" // runs on every host and says up = 1

	// sayAgain is how often up = 0 is said of a host that stays silent: more
	// often than a sample is forgotten.
	sayAgain = time.Minute
	// comeBack is how much longer than usual a host may take after the broker was
	// away: agents try again after 10 s at most, and it takes them a few more.
	comeBack = 15 * time.Second
	// maxHosts bounds the roster; further hosts are not watched.
	maxHosts = 100_000
	// unknownInterval counts for a host from before a restart with a single sample.
	unknownInterval = time.Minute
)

// hosts knows who reports. It is owned by ingest's run.
type hosts struct {
	roster *roster.Roster
	silent map[string]bool          // names of those that are
	up     map[string]labels.Labels // under which a host itself says up = 1, by its name
	cut    bool                     // nothing can be heard, or could not be when last looked
	said   time.Time                // when up = 0 was last said of all that are silent
}

func newHosts(now time.Time) hosts {
	return hosts{roster: roster.New(now), silent: map[string]bool{}, up: map[string]labels.Labels{}}
}

// seed takes up the hosts that reported before a restart.
func (h *hosts) seed(ctx context.Context, s *store.Store, now time.Time) error {
	ends, err := s.Last(ctx, now.Add(-keepAtLeast),
		labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, upMetric),
		labels.MustNewMatcher(labels.MatchEqual, "job", nodeJob))
	if err != nil {
		return err
	}
	h.cut = len(ends) > 0
	// A host whose labels were changed has several series: the newest counts.
	slices.SortFunc(ends, func(a, b store.Last) int { return a.Time.Compare(b.Time) })
	for _, l := range ends {
		name := l.Labels.Get("instance")
		if l.Step == 0 {
			l.Step = unknownInterval
		}
		h.roster.Seen(name, l.Labels.Get("group"), "agent", l.Step, l.Time)
		h.up[name] = l.Labels
		if l.Value == 0 {
			h.silent[name] = true
		} else {
			delete(h.silent, name)
		}
	}
	return nil
}

// fall returns the names of the hosts of which it is time to say that they are
// silent, and how many of them have just fallen so.
func (h *hosts) fall(now time.Time, connected bool) (due []string, fell int) {
	if !connected {
		h.cut = true
		return nil, 0
	}
	if h.cut {
		h.cut = false
		h.roster.Resume(now.Add(comeBack))
	}
	for _, x := range h.roster.Fall(now) {
		if !h.silent[x.Name] { // it may be since before a restart
			h.silent[x.Name] = true
			due = append(due, x.Name)
		}
	}
	fell = len(due)
	if now.Sub(h.said) >= sayAgain {
		h.said, due = now, slices.Collect(maps.Keys(h.silent))
	}
	return due, fell
}

// watch looks who has fallen silent and writes up = 0 for them.
func (in *ingest) watch(ctx context.Context, now time.Time) {
	in.interest.use(in.engine.Set())
	due, fell := in.hosts.fall(now, in.bus.Connected())
	if fell > 0 {
		in.log.Warn("hosts have fallen silent", "count", fell, "one", due[0])
	}
	for _, name := range due {
		in.say(in.hosts.up[name], now, 0)
	}
	in.flush(ctx, rules.Silence)
	in.metrics.silent.Set(float64(len(in.hosts.silent)))
}

// notice takes note that a host has reported, and under which labels it says
// that it is up, if the message did.
func (in *ingest) notice(d *bus.Delivery, from telemetry.Origin, up labels.Labels) {
	h := &in.hosts
	switch {
	case from.Host == "" || from.Interval <= 0:
		return // a script that may never publish again, not an agent
	case h.roster.Len() >= maxHosts && !h.roster.Has(from.Host):
		in.metrics.unwatched.Inc()
		return
	case !up.IsEmpty():
		h.up[from.Host] = up
	case h.up[from.Host].IsEmpty():
		h.up[from.Host] = hostLabels(upMetric, from)
	}
	now := time.Now()
	if back := h.roster.Seen(from.Host, from.Group, from.Probe, from.Interval, now); back || h.silent[from.Host] {
		delete(h.silent, from.Host)
		in.say(h.up[from.Host], now, 1)
	}
	if from.Probe == agentProbe && !d.Redelivered && !d.Time.IsZero() {
		in.say(hostLabels(offsetMetric, from), now, d.Time.Sub(now).Seconds())
	}
}

func hostLabels(metric string, from telemetry.Origin) labels.Labels {
	return labels.FromStrings(model.MetricNameLabel, metric, "group", from.Group, "instance", from.Host, "job", nodeJob)
}

// say gathers a sample of our own, if a rule reads it.
func (in *ingest) say(series labels.Labels, at time.Time, v float64) {
	if w := in.interest.read(series); w != nil {
		in.gather(w, []telemetry.Sample{{Time: at.UnixMilli(), Value: v}})
	}
}
