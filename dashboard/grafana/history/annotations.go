package history

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// Alerts says which alerts of the past to mark on a panel; "" is any.
type Alerts struct {
	Name     string `json:"name"`
	Severity string `json:"severity"`
	Group    string `json:"group"`
	Host     string `json:"host"`
	Pending  bool   `json:"pending"` // those too that did not fire yet
}

// Annotation is one alert from its begin to its end.
type Annotation struct {
	Time  int64    `json:"time"` // Unix milliseconds, as TimeEnd
	End   int64    `json:"timeEnd"`
	Title string   `json:"title"`
	Text  string   `json:"text"`
	Tags  []string `json:"tags"`
}

const (
	// alertPoints is how exactly a begin and an end are known.
	alertPoints = 5000
	alertStep   = 5 * time.Second // at least
)

// Annotations are the alerts that history has noted, as the series ALERTS.
func (h *History) Annotations(ctx context.Context, a Alerts, from, to time.Time) ([]Annotation, error) {
	step := max(to.Sub(from)/alertPoints, alertStep).Round(time.Second)
	value, _, err := h.api.QueryRange(ctx, a.selector(), v1.Range{Start: from, End: to, Step: step})
	if err != nil {
		return nil, err
	}
	matrix, _ := value.(model.Matrix)
	out := []Annotation{}
	for _, s := range matrix {
		for _, span := range spans(s.Values, step) {
			out = append(out, annotation(s.Metric, span))
		}
	}
	slices.SortFunc(out, func(a, b Annotation) int { return int(a.Time - b.Time) })
	return out, nil
}

func (a Alerts) selector() string {
	matchers := []string{`alertstate="firing"`}
	if a.Pending {
		matchers = []string{`alertstate=~"firing|pending"`}
	}
	for _, m := range []struct{ label, value string }{
		{"alertname", a.Name}, {"severity", a.Severity}, {"group", a.Group}, {"instance", a.Host},
	} {
		if m.value != "" {
			matchers = append(matchers, fmt.Sprintf("%s=~%q", m.label, m.value))
		}
	}
	return "ALERTS{" + strings.Join(matchers, ",") + "}"
}

// spans are the runs of points without a gap.
func spans(points []model.SamplePair, step time.Duration) [][2]model.Time {
	var out [][2]model.Time
	for _, p := range points {
		if last := len(out) - 1; last >= 0 && p.Timestamp.Sub(out[last][1]) <= step {
			out[last][1] = p.Timestamp
		} else {
			out = append(out, [2]model.Time{p.Timestamp, p.Timestamp})
		}
	}
	return out
}

// shown are the labels that the title and the tags of an annotation say.
var shown = []model.LabelName{"alertname", "alertstate", "severity", "group", "instance"}

func annotation(m model.Metric, span [2]model.Time) Annotation {
	a := Annotation{Time: int64(span[0]), End: int64(span[1]), Title: string(m["alertname"]), Tags: []string{}}
	if host := m["instance"]; host != "" {
		a.Title += " on " + string(host)
	}
	for _, name := range shown {
		if v := m[name]; v != "" {
			a.Tags = append(a.Tags, string(v))
		}
	}
	a.Text = m.String()
	return a
}

func (h *History) annotationFrames(ctx context.Context, q *Query) (data.Frames, error) {
	all, err := h.Annotations(ctx, q.Alerts, q.from, q.to)
	if err != nil {
		return nil, err
	}
	n := len(all)
	times, ends := make([]time.Time, n), make([]time.Time, n)
	titles, texts, tags := make([]string, n), make([]string, n), make([]string, n)
	for i, a := range all {
		times[i], ends[i] = time.UnixMilli(a.Time), time.UnixMilli(a.End)
		titles[i], texts[i], tags[i] = a.Title, a.Text, strings.Join(a.Tags, ",")
	}
	f := data.NewFrame("alerts", data.NewField("time", nil, times), data.NewField("timeEnd", nil, ends),
		data.NewField("title", nil, titles), data.NewField("text", nil, texts), data.NewField("tags", nil, tags))
	f.RefID = q.refID
	return data.Frames{f}, nil
}
