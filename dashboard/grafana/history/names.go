package history

import (
	"context"
	"fmt"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

// Metric is a name that can be queried.
type Metric struct {
	Name string `json:"name"`
	Type string `json:"type,omitempty"`
	Help string `json:"help,omitempty"`
	Unit string `json:"unit,omitempty"`
}

// maxNames bounds what is offered to complete by.
const maxNames = 10_000

// Metrics lists the names of metrics with what is known of them.
func (h *History) Metrics(ctx context.Context, match []string, from, to time.Time) ([]Metric, error) {
	names, err := h.Values(ctx, model.MetricNameLabel, match, from, to)
	if err != nil {
		return nil, err
	}
	about, err := h.api.Metadata(ctx, "", "")
	if err != nil {
		return nil, err
	}
	out := make([]Metric, len(names))
	for i, n := range names {
		out[i].Name = n
		if m := about[n]; len(m) > 0 {
			out[i].Type, out[i].Help, out[i].Unit = string(m[0].Type), m[0].Help, m[0].Unit
		}
	}
	return out, nil
}

// Labels lists the names of labels.
func (h *History) Labels(ctx context.Context, match []string, from, to time.Time) ([]string, error) {
	names, _, err := h.api.LabelNames(ctx, match, from, to, v1.WithLimit(maxNames))
	return texts(names), err
}

// Values lists the values of a label.
func (h *History) Values(ctx context.Context, label string, match []string, from, to time.Time) ([]string, error) {
	values, _, err := h.api.LabelValues(ctx, label, match, from, to, v1.WithLimit(maxNames))
	return texts(values), err
}

// HostNames lists the hosts that report, of a group or of all.
func (h *History) HostNames(ctx context.Context, group string, from, to time.Time) ([]string, error) {
	match := `up{job="node"}`
	if group != "" {
		match = fmt.Sprintf(`up{job="node",group=~%q}`, group)
	}
	return h.Values(ctx, model.InstanceLabel, []string{match}, from, to)
}

// Groups lists the groups that hosts are in.
func (h *History) Groups(ctx context.Context, from, to time.Time) ([]string, error) {
	return h.Values(ctx, "group", []string{`up{job="node"}`}, from, to)
}

func texts[T ~string](in []T) []string {
	out := make([]string, len(in))
	for i, v := range in {
		out[i] = string(v)
	}
	return out
}
