package rules

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	promrules "github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"
)

// Hosts are the values of the label instance of what has arrived; "" is among
// them if something has none.
type Hosts map[string]bool

// arrivals lets an evaluation on arrival cost what has arrived: an alerting rule
// that looks at each host by itself is asked about the hosts that have reported
// since, and of the others it is still true what it last said. The next evaluation
// on the group's timer asks about all.
//
// It is guarded by Engine.mu.
type arrivals struct {
	rules map[string]*answered // by ruleKey; only those that are local
}

// answered is what a rule last said of all hosts; nil: it has not been asked yet.
type answered struct{ all promql.Vector }

// keep makes these the rules that there are.
func (a *arrivals) keep(rules []*promrules.AlertingRule) {
	a.rules = map[string]*answered{}
	for _, r := range rules {
		if local(r.Query()) {
			a.rules[ruleKey(r.Name(), r.Query().String(), r.Labels())] = &answered{}
		}
	}
}

// query asks a local rule about those hosts alone that ctx names.
func (a *arrivals) query(inner promrules.QueryFunc) promrules.QueryFunc {
	return func(ctx context.Context, expr string, t time.Time) (promql.Vector, error) {
		d := promrules.FromOriginContext(ctx)
		rule := a.rules[ruleKey(d.Name, d.Query, d.Labels)]
		if d.Kind != promrules.KindAlerting || d.Query != expr || rule == nil {
			return inner(within(ctx, nil), expr, t)
		}
		some := scopeOf(ctx)
		if rule.all == nil {
			some = nil
		}
		got, err := inner(within(ctx, some), expr, t)
		if err != nil {
			rule.all = nil
			return nil, err
		}
		if some != nil {
			got = some.merge(rule.all, got)
		}
		rule.all = slices.Clip(append(promql.Vector{}, got...))
		return got, nil
	}
}

// scope is the hosts that an evaluation is about, and the matchers that find them.
type scope struct {
	hosts Hosts
	match []*labels.Matcher
}

// scopeHosts is how many hosts one matcher names: TSDB looks up so many names one
// by one, and more by trying all.
const scopeHosts = 250

func newScope(hosts Hosts) *scope {
	if hosts == nil {
		return nil
	}
	s := &scope{hosts: hosts}
	names := make([]string, 0, len(hosts))
	for h := range hosts {
		names = append(names, regexp.QuoteMeta(h))
	}
	for some := range slices.Chunk(names, scopeHosts) {
		s.match = append(s.match, labels.MustNewMatcher(labels.MatchRegexp, instanceLabel, strings.Join(some, "|")))
	}
	return s
}

// merge is what was said before of other hosts, and what is said now of these.
func (s *scope) merge(before, now promql.Vector) promql.Vector {
	for _, x := range before {
		if !s.hosts[x.Metric.Get(instanceLabel)] {
			now = append(now, x)
		}
	}
	return now
}

type scopeKey struct{}

func within(ctx context.Context, s *scope) context.Context {
	return context.WithValue(ctx, scopeKey{}, s)
}

func scopeOf(ctx context.Context) *scope {
	s, _ := ctx.Value(scopeKey{}).(*scope)
	return s
}

// scoped is a storage that shows a query only what its scope names.
type scoped struct{ storage.Queryable }

// Querier implements storage.Queryable.
func (s scoped) Querier(from, to int64) (storage.Querier, error) {
	q, err := s.Queryable.Querier(from, to)
	if err != nil {
		return nil, err
	}
	return scopedQuerier{q}, nil
}

type scopedQuerier struct{ storage.Querier }

// Select implements storage.Querier. No host is in two of the sets.
func (q scopedQuerier) Select(ctx context.Context, sorted bool, hints *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	s := scopeOf(ctx)
	if s == nil {
		return q.Querier.Select(ctx, sorted, hints, matchers...)
	}
	all := make([]storage.SeriesSet, len(s.match))
	for i, m := range s.match {
		all[i] = q.Querier.Select(ctx, sorted, hints, append(slices.Clip(matchers), m)...)
	}
	if len(all) == 1 {
		return all[0]
	}
	return &sequence{sets: all}
}

// sequence is one set of series after the other.
type sequence struct {
	sets []storage.SeriesSet // the first is being read
	warn annotations.Annotations
}

// Next implements storage.SeriesSet.
func (s *sequence) Next() bool {
	for {
		if s.sets[0].Next() {
			return true
		}
		if len(s.sets) == 1 || s.sets[0].Err() != nil {
			return false
		}
		s.warn.Merge(s.sets[0].Warnings())
		s.sets = s.sets[1:]
	}
}

// At implements storage.SeriesSet.
func (s *sequence) At() storage.Series { return s.sets[0].At() }

// Err implements storage.SeriesSet.
func (s *sequence) Err() error { return s.sets[0].Err() }

// Warnings implements storage.SeriesSet.
func (s *sequence) Warnings() annotations.Annotations {
	return s.warn.Merge(s.sets[0].Warnings())
}
