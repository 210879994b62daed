package history

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/parser/posrange"
	"github.com/prometheus/prometheus/storage"
)

// engine is Prometheus's, before which functions that count samples are put in
// terms of what roll-ups have: count_over_time(x[r]) as the sum of the counts,
// and avg_over_time(x[r]) as the sum of the sums divided by it.
type engine struct {
	*promql.Engine
	db *DB
}

// NewInstantQuery implements promql.QueryEngine.
func (e engine) NewInstantQuery(ctx context.Context, q storage.Queryable, o promql.QueryOpts, expr string, at time.Time) (promql.Query, error) {
	return e.Engine.NewInstantQuery(ctx, q, o, e.db.recount(expr, at, 0), at)
}

// NewRangeQuery implements promql.QueryEngine.
func (e engine) NewRangeQuery(ctx context.Context, q storage.Queryable, o promql.QueryOpts, expr string, from, to time.Time, step time.Duration) (promql.Query, error) {
	return e.Engine.NewRangeQuery(ctx, q, o, e.db.recount(expr, from, step), from, to, step)
}

// recount rewrites an expression if roll-ups may answer it. One that does not
// parse is left to the engine, which says why.
func (db *DB) recount(expr string, from time.Time, step time.Duration) string {
	if !strings.Contains(expr, "count_over_time") && !strings.Contains(expr, "avg_over_time") {
		return expr
	}
	parsed, err := db.parser.ParseExpr(expr)
	if err != nil {
		return expr
	}
	g, err := db.acquire()
	if err != nil {
		return expr
	}
	defer g.release()
	r := recounter{tiers: db.tiers(g), from: from.UnixMilli(), step: step.Milliseconds()}
	parser.Inspect(parsed, r.visit)
	slices.SortFunc(r.edits, func(a, b edit) int { return cmp.Compare(b.at.Start, a.at.Start) })
	for _, e := range r.edits { // from the end, so that positions before stay
		expr = expr[:e.at.Start] + e.text + expr[e.at.End:]
	}
	return expr
}

// recounter finds the calls of one expression that are to be rewritten.
type recounter struct {
	tiers      []tier
	from, step int64 // of the query, milliseconds
	edits      []edit
}

// edit puts a text in place of what stands at a position.
type edit struct {
	at   posrange.PositionRange
	text string
}

func (r *recounter) visit(n parser.Node, path []parser.Node) error {
	call, ok := n.(*parser.Call)
	if !ok || call.Func.Name != "count_over_time" && call.Func.Name != "avg_over_time" {
		return nil
	}
	m, ok := call.Args[0].(*parser.MatrixSelector)
	if !ok || m.RangeExpr != nil || !r.rolledUp(m, path) { // a computed range is not known yet
		return nil
	}
	text := "sum_over_time(" + counted(m).String() + ")"
	if call.Func.Name == "avg_over_time" {
		text = "(sum_over_time(" + m.String() + ") / " + text + ")"
	}
	r.edits = append(r.edits, edit{call.PosRange, text})
	return nil
}

// rolledUp tells whether a part of what is asked for may come from roll-ups.
func (r *recounter) rolledUp(m *parser.MatrixSelector, path []parser.Node) bool {
	v := m.VectorSelector.(*parser.VectorSelector)
	from := r.from
	if v.Timestamp != nil {
		from = *v.Timestamp
	}
	from -= (m.Range + v.OriginalOffset).Milliseconds()
	for _, n := range path {
		if s, ok := n.(*parser.SubqueryExpr); ok {
			from -= (s.Range + s.OriginalOffset).Milliseconds()
		}
	}
	h := storage.SelectHints{Func: "sum_over_time", Start: from + 1, Step: r.step, Range: m.Range.Milliseconds()}
	wanted, _ := wish(&h, r.tiers)
	list := spans(r.tiers, wanted)
	return list[0].tier > 0 && from < list[0].to
}

// counted is a selector of the numbers of samples.
func counted(m *parser.MatrixSelector) *parser.MatrixSelector {
	v := *m.VectorSelector.(*parser.VectorSelector)
	v.LabelMatchers = append(slices.Clone(v.LabelMatchers), labels.MustNewMatcher(labels.MatchEqual, RollupLabel, "count"))
	c := *m
	c.VectorSelector = &v
	return &c
}
