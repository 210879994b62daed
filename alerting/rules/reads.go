package rules

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	promrules "github.com/prometheus/prometheus/rules"
)

// lookbackDelta is for how long the last sample of a series counts as its
// value, as in Prometheus.
const lookbackDelta = 5 * time.Minute

// reads knows which groups read a series.
type reads struct {
	named    map[string][]selector // by the metric's name
	others   []selector            // that do not say one name
	lookback time.Duration
}

type selector struct {
	matchers []*labels.Matcher
	group    string // key of the group that reads it
}

// Readers appends to keys those of the groups that read the series, each once.
func (s *Set) Readers(keys []string, series labels.Labels) []string {
	r := &s.reads
	for _, s := range r.named[series.Get(model.MetricNameLabel)] {
		keys = s.add(keys, series)
	}
	for _, s := range r.others {
		keys = s.add(keys, series)
	}
	return keys
}

// Reads tells whether any group may read a metric of this name.
func (s *Set) Reads(name string) bool { return len(s.reads.others) > 0 || len(s.reads.named[name]) > 0 }

func (s selector) add(keys []string, series labels.Labels) []string {
	if slices.Contains(keys, s.group) {
		return keys
	}
	for _, m := range s.matchers {
		if !m.Matches(series.Get(m.Name)) {
			return keys
		}
	}
	return append(keys, s.group)
}

// readersOf returns the keys of the other groups that may read what the
// recording rules of g write.
func (s *Set) readersOf(g *promrules.Group) []string {
	var keys []string
	for _, r := range g.Rules() {
		if _, ok := r.(*promrules.RecordingRule); !ok {
			continue
		}
		for _, reader := range s.reads.named[r.Name()] {
			if reader.group != keyOf(g) && !slices.Contains(keys, reader.group) {
				keys = append(keys, reader.group)
			}
		}
	}
	return keys
}

func (s *Set) findReads() (reads, error) {
	r := reads{named: map[string][]selector{}, lookback: lookbackDelta}
	for _, file := range s.files {
		for _, g := range s.groups[file].Groups {
			for _, rule := range g.Rules {
				expr, err := s.parser.ParseExpr(rule.Expr)
				if err != nil {
					return r, fmt.Errorf("rule file %s: %w", file, err)
				}
				r.note(promrules.GroupKey(file, g.Name), expr, queryOffset(&g))
			}
		}
	}
	return r, nil
}

func (r *reads) note(group string, expr parser.Expr, offset time.Duration) {
	for _, matchers := range parser.ExtractSelectors(expr) {
		s := selector{matchers, group}
		if name := metricName(matchers); name != "" {
			r.named[name] = append(r.named[name], s)
		} else {
			r.others = append(r.others, s)
		}
	}
	r.lookback = max(r.lookback, lookback(expr)+offset)
}

// Selectors are what the rules read, each once, in PromQL.
func (s *Set) Selectors() []string {
	seen := map[string]bool{}
	note := func(all []selector) {
		for _, x := range all {
			v := parser.VectorSelector{LabelMatchers: x.matchers}
			seen[v.String()] = true
		}
	}
	for _, all := range s.reads.named {
		note(all)
	}
	note(s.reads.others)
	return slices.Sorted(maps.Keys(seen))
}

func metricName(matchers []*labels.Matcher) string {
	for _, m := range matchers {
		if m.Name == model.MetricNameLabel && m.Type == labels.MatchEqual {
			return m.Value
		}
	}
	return ""
}

// lookback is how far before its own time an expression reads.
func lookback(expr parser.Expr) time.Duration {
	var furthest time.Duration
	parser.Inspect(expr, func(n parser.Node, path []parser.Node) error {
		v, ok := n.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		reach := lookbackDelta + v.OriginalOffset
		for _, above := range path {
			switch a := above.(type) {
			case *parser.MatrixSelector:
				reach += a.Range
			case *parser.SubqueryExpr:
				reach += a.Range + a.OriginalOffset
			}
		}
		furthest = max(furthest, reach)
		return nil
	})
	return furthest
}

func queryOffset(g *rulefmt.RuleGroup) time.Duration {
	if g.QueryOffset == nil {
		return 0
	}
	return time.Duration(*g.QueryOffset)
}
