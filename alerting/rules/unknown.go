package rules

import (
	"context"
	"regexp"
	"sync"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/timestamp"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	promrules "github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
)

// instanceLabel names the host that an alert is about.
const instanceLabel = "instance"

// unknown keeps alerts of which nothing is known any more: their series are
// missing, or the host has fallen silent. Such an alert neither ends, nor does the
// for of a pending one go on, until there is data again, the host is retired, or,
// if the host still reports, outage is over.
type unknown struct {
	storage storage.Queryable // static

	mu     sync.Mutex
	silent map[string]time.Time // hosts, with when they were last heard; guarded by mu
	rules  map[string]*watched  // by ruleKey; guarded by mu
}

// watched is one rule, and what it found when it was evaluated last.
type watched struct {
	selectors [][]*labels.Matcher
	sets      labels.Labels // the rule's own
	at        time.Time
	found     map[uint64]promql.Sample // by the hash of the labels
	since     map[uint64]time.Time     // from when on nothing is known of one that was found
}

func newUnknown(s storage.Queryable) *unknown {
	return &unknown{storage: s, silent: map[string]time.Time{}, rules: map[string]*watched{}}
}

func ruleKey(name, query string, ls labels.Labels) string {
	return name + "\xff" + query + "\xff" + ls.String()
}

// keep makes these the rules that there are.
func (u *unknown) keep(rules []*promrules.AlertingRule) {
	u.mu.Lock()
	defer u.mu.Unlock()
	old := u.rules
	u.rules = map[string]*watched{}
	for _, r := range rules {
		key := ruleKey(r.Name(), r.Query().String(), r.Labels())
		if u.rules[key] = old[key]; old[key] == nil {
			u.rules[key] = &watched{
				selectors: parser.ExtractSelectors(r.Query()), sets: r.Labels(),
				found: map[uint64]promql.Sample{}, since: map[uint64]time.Time{},
			}
		}
	}
}

// Missing says that a host is silent, and when it was last heard.
func (e *Engine) Missing(host string, last time.Time) {
	e.unknown.mu.Lock()
	defer e.unknown.mu.Unlock()
	e.unknown.silent[host] = last
}

// Present says that a host is back.
func (e *Engine) Present(host string) {
	e.unknown.mu.Lock()
	defer e.unknown.mu.Unlock()
	delete(e.unknown.silent, host)
}

// Retired says that a host is gone for good: nothing is known of it on purpose.
func (e *Engine) Retired(host string) {
	e.Present(host)
	e.unknown.mu.Lock()
	defer e.unknown.mu.Unlock()
	for _, w := range e.unknown.rules {
		for hash, s := range w.found {
			if s.Metric.Get(instanceLabel) == host {
				delete(w.found, hash)
				delete(w.since, hash)
			}
		}
	}
}

// query adds to what an alerting rule finds what it found before and of which
// nothing is known now.
func (u *unknown) query(inner promrules.QueryFunc) promrules.QueryFunc {
	return func(ctx context.Context, expr string, t time.Time) (promql.Vector, error) {
		got, err := inner(ctx, expr, t)
		d := promrules.FromOriginContext(ctx)
		if err != nil || d.Kind != promrules.KindAlerting || d.Query != expr {
			return got, err
		}
		u.mu.Lock()
		defer u.mu.Unlock()
		if w := u.rules[ruleKey(d.Name, d.Query, d.Labels)]; w != nil {
			return u.complete(ctx, w, got, t)
		}
		return got, nil
	}
}

// complete adds the unknown to what was found at t. The caller holds mu.
func (u *unknown) complete(ctx context.Context, w *watched, got promql.Vector, t time.Time) (promql.Vector, error) {
	found, since := make(map[uint64]promql.Sample, len(got)), map[uint64]time.Time{}
	note := func(hash uint64, s promql.Sample) {
		found[hash] = s
		if since[hash] = w.since[hash]; since[hash].IsZero() {
			since[hash] = t
		}
	}
	for _, s := range got {
		hash := s.Metric.Hash()
		found[hash] = s
		if _, silent := u.silent[s.Metric.Get(instanceLabel)]; !silent {
			continue
		}
		known, err := u.known(ctx, w, s.Metric, t)
		if err != nil {
			return nil, err
		}
		if !known {
			note(hash, s)
		}
	}
	for hash, s := range w.found {
		if _, ok := found[hash]; ok {
			continue
		}
		known, err := u.known(ctx, w, s.Metric, t)
		if err != nil {
			return nil, err
		}
		_, silent := u.silent[s.Metric.Get(instanceLabel)]
		first := w.since[hash]
		if known || !silent && !first.IsZero() && t.Sub(first) > outage {
			continue
		}
		note(hash, s)
		s.T = timestamp.FromTime(t)
		got = append(got, s)
	}
	w.found, w.since, w.at = found, since, t
	return got, nil
}

// known tells whether the rule still reads anything that is about the labels: of
// a silent host, anything since it was last heard.
func (u *unknown) known(ctx context.Context, w *watched, about labels.Labels, t time.Time) (bool, error) {
	from := t.Add(-lookbackDelta)
	if last, silent := u.silent[about.Get(instanceLabel)]; silent && last.After(from) {
		from = last
	}
	q, err := u.storage.Querier(timestamp.FromTime(from)+1, timestamp.FromTime(t))
	if err != nil {
		return false, err
	}
	defer q.Close()
	for _, matchers := range w.selectors {
		set := q.Select(ctx, false, nil, append(same(about), matchers...)...)
		if set.Next() {
			return true, nil
		}
		if err := set.Err(); err != nil {
			return false, err
		}
	}
	return len(w.selectors) == 0, nil
}

// same matches the series that have these labels as far as they have them at all.
func same(about labels.Labels) []*labels.Matcher {
	var all []*labels.Matcher
	about.Range(func(l labels.Label) {
		switch l.Name {
		case model.MetricNameLabel:
		case instanceLabel: // without it a series is about no host
			all = append(all, labels.MustNewMatcher(labels.MatchEqual, l.Name, l.Value))
		default:
			all = append(all, labels.MustNewMatcher(labels.MatchRegexp, l.Name, "|"+regexp.QuoteMeta(l.Value)))
		}
	})
	return all
}

// freeze holds the for of alerts of which nothing is known, before a group is
// evaluated for at.
func (u *unknown) freeze(g *promrules.Group, at time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, r := range g.Rules() {
		rule, ok := r.(*promrules.AlertingRule)
		if !ok {
			continue
		}
		w := u.rules[ruleKey(rule.Name(), rule.Query().String(), rule.Labels())]
		if w == nil || len(w.since) == 0 {
			continue
		}
		rule.ForEachActiveAlert(func(a *promrules.Alert) {
			if a.State == promrules.StatePending && w.unknown(a) {
				a.ActiveAt = a.ActiveAt.Add(at.Sub(w.at))
			}
		})
	}
}

// unknown tells whether nothing is known of an alert.
func (w *watched) unknown(a *promrules.Alert) bool {
	for hash := range w.since {
		if w.made(a.Labels, w.found[hash].Metric) {
			return true
		}
	}
	return false
}

// made tells whether an alert was made of an element: it has the element's
// labels, except those that the rule sets.
func (w *watched) made(alert, element labels.Labels) bool {
	made := true
	element.Range(func(l labels.Label) {
		if l.Name != model.MetricNameLabel && !w.sets.Has(l.Name) && alert.Get(l.Name) != l.Value {
			made = false
		}
	})
	return made
}

// Unknown tells whether nothing is known any more of an active alert of a rule.
func (e *Engine) Unknown(r *promrules.AlertingRule, a *promrules.Alert) bool {
	e.unknown.mu.Lock()
	defer e.unknown.mu.Unlock()
	w := e.unknown.rules[ruleKey(r.Name(), r.Query().String(), r.Labels())]
	return w != nil && w.unknown(a)
}

// AlertingRules are the rules with their alerts.
func (e *Engine) AlertingRules() []*promrules.AlertingRule { return e.manager.AlertingRules() }
