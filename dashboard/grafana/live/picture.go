package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"

	"thump/dashboard/grafana/history"
)

const (
	// maxColumns bounds the series of a panel.
	maxColumns = 1000
	// within is how long one evaluation may take.
	within = 2 * time.Second
)

// newEngine is the engine that all streams of a data source share.
func newEngine() *promql.Engine {
	return promql.NewEngine(promql.EngineOpts{
		Logger: slog.New(slog.DiscardHandler), MaxSamples: 2 * maxSamples, Timeout: within, LookbackDelta: lookback,
		EnableNegativeOffset: true, Parser: promQL,
	})
}

// picture evaluates an expression over a window into rows of a wide frame. It
// keeps the columns it has shown, so that the frame's structure seldom changes.
type picture struct {
	engine  *promql.Engine
	window  *window
	columns []model.Metric
	place   map[model.Fingerprint]int
	last    int64 // time of the row last made, Unix milliseconds
	cut     bool  // series were left out
}

func newPicture(e *promql.Engine, w *window) *picture {
	return &picture{engine: e, window: w, place: map[model.Fingerprint]int{}}
}

// row evaluates at the newest sample. Rows go forward in time.
func (p *picture) row(ctx context.Context) (*data.Frame, error) {
	p.window.forget()
	at := max(p.window.newest, p.last+1)
	vector, err := p.evaluate(ctx, time.UnixMilli(at))
	if err != nil {
		return nil, err
	}
	p.last = at
	values := p.values(vector)
	f := p.frame(data.NewField(history.TimeField, nil, []time.Time{time.UnixMilli(at)}))
	for i, m := range p.columns {
		f.Fields = append(f.Fields, history.Column(m, p.window.plan.Legend, p.window.plan.Expr, values[i:i+1]))
	}
	return f, nil
}

// blank is a frame without a row, that says what is the matter.
func (p *picture) blank() *data.Frame {
	f := p.frame(data.NewField(history.TimeField, nil, []time.Time{}))
	for _, m := range p.columns {
		f.Fields = append(f.Fields, history.Column(m, p.window.plan.Legend, p.window.plan.Expr, nil))
	}
	return f
}

// frame always has metadata: Grafana keeps old notices where there is none.
func (p *picture) frame(times *data.Field) *data.Frame {
	f := data.NewFrame("", times)
	f.Meta = &data.FrameMeta{
		Type: data.FrameTypeTimeSeriesWide, TypeVersion: data.FrameTypeVersion{0, 1},
		ExecutedQueryString: fmt.Sprintf("Expr: %s\nKey: %s", p.window.plan.Expr, p.window.plan.key),
	}
	return f
}

func (p *picture) evaluate(ctx context.Context, at time.Time) (promql.Vector, error) {
	q, err := p.engine.NewInstantQuery(ctx, p.window, nil, p.window.plan.Expr, at)
	if err != nil {
		return nil, fmt.Errorf("the expression cannot be evaluated: %w", err)
	}
	defer q.Close()
	res := q.Exec(ctx)
	if res.Err != nil {
		return nil, fmt.Errorf("the expression cannot be evaluated: %w", res.Err)
	}
	switch v := res.Value.(type) {
	case promql.Vector:
		return append(promql.Vector(nil), v...), nil // the query's memory is used again
	case promql.Scalar:
		return promql.Vector{{T: v.T, F: v.V}}, nil
	}
	return nil, errors.New("the expression gives no values")
}

// values puts a vector into the columns, and adds columns for what is new.
func (p *picture) values(vector promql.Vector) []*float64 {
	values := make([]*float64, len(p.columns), len(p.columns)+len(vector))
	for _, s := range vector {
		m := metric(s.Metric)
		n, known := p.place[m.Fingerprint()]
		if !known {
			if len(p.columns) >= maxColumns {
				p.cut = true
				continue
			}
			n = len(p.columns)
			p.place[m.Fingerprint()], p.columns = n, append(p.columns, m)
			values = append(values, nil)
		}
		if s.H == nil && finite(s.F) {
			values[n] = new(s.F)
		}
	}
	return values
}

func metric(ls labels.Labels) model.Metric {
	m := model.Metric{}
	ls.Range(func(l labels.Label) { m[model.LabelName(l.Name)] = model.LabelValue(l.Value) })
	return m
}
