package alerting

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"

	"thump/alerting/rules"
	"thump/alerting/store"
	"thump/internal/bus"
	"thump/internal/control"
	"thump/internal/roster"
	"thump/internal/telemetry"
)

const (
	upMetric     = "up"
	brokerMetric = "thump_broker_up"                 // 1 while alerting has its link to the broker
	cutMetric    = "thump_cut_hosts"                 // that fell silent together, everywhere or by site, and still are
	offsetMetric = "thump_host_clock_offset_seconds" // of a host's clock from ours; positive: ahead
	nodeJob      = "node"
	alertingJob  = "alerting" // of what alerting says of itself
	siteLabel    = "site"
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
	said   time.Time                // when all that lasts was last said
	cuts   cuts
	held   []string // of a cut that has been said just now; they are said to be silent after it
}

func newHosts(now time.Time) hosts {
	return hosts{roster: roster.New(now), silent: map[string]bool{}, up: map[string]labels.Labels{}, cuts: cuts{}}
}

// seed takes up the hosts that reported before a restart, and the cuts.
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
	open, err := s.Last(ctx, now.Add(-keepAtLeast), labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, cutMetric))
	if err != nil {
		return err
	}
	h.reopen(open, now)
	return nil
}

// reopen takes up the cuts: whoever is silent belongs to them.
func (h *hosts) reopen(open []store.Last, now time.Time) {
	for _, l := range open {
		if l.Value > 0 {
			h.cuts[l.Labels.Get(siteLabel)] = &cut{hosts: map[string]bool{}, joined: now}
		}
	}
	for name := range h.silent {
		h.cuts.join(now, &fallen{name, h.site(name), true})
	}
}

func (h *hosts) site(name string) string { return h.up[name].Get(siteLabel) }

// fall returns the names of the hosts of which it is time to say that they are
// silent, and how many hosts have just fallen so.
func (h *hosts) fall(now time.Time, connected bool) (due []string, fell int) {
	if !connected {
		h.cut = true
		return nil, 0
	}
	if h.cut {
		h.cut = false
		h.roster.Resume(now.Add(comeBack))
	}
	due, h.held = h.held, nil
	var news []fallen
	for _, x := range h.roster.Fall(now) {
		if !h.silent[x.Name] { // it may be since before a restart
			h.silent[x.Name] = true
			news = append(news, fallen{x.Name, h.site(x.Name), true})
		}
	}
	if len(news) > 0 {
		h.cuts.fall(now, append(news, h.late(now)...), h.reported(news))
	}
	for _, f := range news {
		if h.cuts.has(f.name) {
			h.held = append(h.held, f.name)
		} else {
			due = append(due, f.name)
		}
	}
	if now.Sub(h.said) >= sayAgain {
		h.said, due = now, nil
		for name := range h.silent {
			if !slices.Contains(h.held, name) {
				due = append(due, name)
			}
		}
	}
	return due, len(news)
}

// late are the hosts that seem about to fall silent.
func (h *hosts) late(now time.Time) []fallen {
	var late []fallen
	for _, x := range h.roster.Late(now, cutLate) {
		late = append(late, fallen{x.Name, h.site(x.Name), false})
	}
	return late
}

// reported counts by scope the hosts that reported until some fell just now.
func (h *hosts) reported(news []fallen) map[string]int {
	count := map[string]int{}
	add := func(f fallen) {
		for _, s := range f.scopes() {
			count[s]++
		}
	}
	for name := range h.up {
		if !h.silent[name] {
			add(fallen{name: name, site: h.site(name)})
		}
	}
	for _, f := range news {
		add(f)
	}
	return count
}

// watch looks who has fallen silent and writes up = 0 for them.
func (in *ingest) watch(ctx context.Context, now time.Time) {
	in.interest.use(in.engine.Set())
	h := &in.hosts
	in.sayBroker(now)
	due, fell := h.fall(now, in.bus.Connected())
	if fell > 0 {
		in.log.Warn("hosts have fallen silent", "count", fell)
	}
	if closed := h.cuts.close(now); fell > 0 || len(closed) > 0 || h.said.Equal(now) {
		in.sayCuts(now, closed)
	}
	for _, name := range due {
		in.say(h.up[name], now, 0)
		in.engine.Missing(name, h.roster.LastSeen(name))
	}
	in.flush(ctx, rules.Silence)
	in.metrics.silent.Set(float64(len(h.silent)))
}

// sayBroker says whether there is a link to the broker, when that changes and
// more often than a sample is forgotten.
func (in *ingest) sayBroker(now time.Time) {
	connected := in.bus.Connected()
	if connected == in.linked && now.Sub(in.linkSaid) < sayAgain {
		return
	}
	in.linked, in.linkSaid = connected, now
	up := 0.0
	if connected {
		up = 1
	}
	in.say(ownLabels(brokerMetric, ""), now, up)
}

// sayCuts says how many hosts are cut off together, before it is said that they
// are silent: one trouble holds a thousand others back.
func (in *ingest) sayCuts(now time.Time, closed []string) {
	say := func(scope string, n int) { in.say(ownLabels(cutMetric, scope), now, float64(n)) }
	for scope, k := range in.hosts.cuts {
		say(scope, len(k.hosts))
	}
	for _, scope := range closed {
		say(scope, 0)
	}
}

// ownLabels are those of a series about no host.
func ownLabels(metric, site string) labels.Labels {
	b := labels.NewBuilder(labels.FromStrings(model.MetricNameLabel, metric, "job", alertingJob))
	return b.Set(siteLabel, site).Labels() // without the label if there is no site
}

// retire forgets a host that is gone for good: its series ends, and nothing of
// it fires any more.
func (in *ingest) retire(d *bus.Delivery) bool {
	r, err := control.DecodeRetired(&d.Message)
	if err != nil {
		in.reject(d, telemetry.OriginOf(&d.Message), err)
		return false
	}
	h := &in.hosts
	if up := h.up[r.Host]; !up.IsEmpty() {
		in.say(up, time.Now(), math.Float64frombits(value.StaleNaN))
	}
	h.roster.Retire(r.Host)
	delete(h.silent, r.Host)
	delete(h.up, r.Host)
	h.cuts.leave(r.Host)
	h.held = slices.DeleteFunc(h.held, func(n string) bool { return n == r.Host })
	in.engine.Retired(r.Host)
	in.log.Info("host retired", "host", r.Host)
	return true
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
		h.cuts.leave(from.Host)
		in.engine.Present(from.Host)
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
