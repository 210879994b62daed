package rules

import (
	"slices"

	"github.com/prometheus/prometheus/promql/parser"
)

// local tells whether what an expression says of a host depends on series of that
// host alone, so that it can be asked for some hosts without the others.
func local(expr parser.Expr) bool {
	is := true
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.AggregateExpr:
			is = is && slices.Contains(n.Grouping, instanceLabel) != n.Without
		case *parser.BinaryExpr:
			is = is && localMatching(n.VectorMatching)
		case *parser.Call:
			is = is && localCall(n)
		case *parser.VectorSelector: // of the past: an arrival changes nothing now
			is = is && n.Timestamp == nil && n.StartOrEnd == 0 && n.OriginalOffset == 0
		case *parser.SubqueryExpr:
			is = is && n.Timestamp == nil && n.StartOrEnd == 0 && n.OriginalOffset == 0
		}
		return nil
	})
	return is && len(parser.ExtractSelectors(expr)) > 0
}

// localMatching tells whether two vectors meet host by host; nil stands for a
// number on one side, or two.
func localMatching(m *parser.VectorMatching) bool {
	return m == nil || slices.Contains(m.MatchingLabels, instanceLabel) == m.On && !slices.Contains(m.Include, instanceLabel)
}

// localCall is false for what makes one number of all hosts, answers without any
// series, or may write another host's name.
func localCall(c *parser.Call) bool {
	switch c.Func.Name {
	case "absent", "absent_over_time", "scalar", "vector", "label_replace", "label_join", "info":
		return false
	}
	return true
}
