package history

import (
	"context"
	"slices"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// maxExemplars is how many dots a panel shows: the highest of each step go first.
const maxExemplars = 1000

type exemplar struct {
	labels model.LabelSet
	v1.Exemplar
}

func (h *History) exemplars(ctx context.Context, q *Query) (data.Frames, error) {
	found, err := h.api.QueryExemplars(ctx, q.Expr, q.from, q.to)
	if err != nil {
		return nil, err
	}
	var all []exemplar
	for _, r := range found {
		for _, e := range r.Exemplars {
			all = append(all, exemplar{r.SeriesLabels.Merge(e.Labels), e})
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	return data.Frames{exemplarFrame(highest(all, q.step), q.refID)}, nil
}

// highest keeps the highest exemplar of each step while there are too many.
func highest(all []exemplar, step time.Duration) []exemplar {
	slices.SortFunc(all, func(a, b exemplar) int { return int(a.Timestamp - b.Timestamp) })
	if len(all) <= maxExemplars {
		return all
	}
	kept := all[:0]
	of := func(e exemplar) int64 { return int64(e.Timestamp) / max(step.Milliseconds(), 1) }
	for _, e := range all {
		switch last := len(kept) - 1; {
		case last < 0 || of(kept[last]) != of(e):
			kept = append(kept, e)
		case e.Value > kept[last].Value:
			kept[last] = e
		}
	}
	return kept[max(0, len(kept)-maxExemplars):]
}

func exemplarFrame(all []exemplar, refID string) *data.Frame {
	names := map[model.LabelName]bool{}
	times, values := make([]time.Time, len(all)), make([]float64, len(all))
	for i, e := range all {
		times[i], values[i] = e.Timestamp.Time(), float64(e.Value)
		for n := range e.labels {
			names[n] = true
		}
	}
	f := data.NewFrame("exemplar", data.NewField(TimeField, nil, times), data.NewField(ValueField, nil, values))
	for _, n := range sorted(names) {
		cells := make([]string, len(all))
		for i, e := range all {
			cells[i] = string(e.labels[n])
		}
		f.Fields = append(f.Fields, data.NewField(string(n), nil, cells))
	}
	f.RefID = refID
	f.Meta = &data.FrameMeta{DataTopic: data.DataTopicAnnotations, Custom: map[string]string{"resultType": "exemplar"}}
	return f
}
