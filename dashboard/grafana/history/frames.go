package history

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/prometheus/common/model"
)

// Names of the fields of frames.
const (
	TimeField  = "Time"
	ValueField = "Value"
)

// shape turns an answer into the frames that the panel wants.
func (q *Query) shape(value model.Value, warnings []string) data.Frames {
	var frames data.Frames
	m, isMatrix := value.(model.Matrix)
	switch {
	case isMatrix && q.Live:
		frames = data.Frames{Wide(m, q.LegendFormat, q.Expr)}
	case isMatrix && q.Format == Heatmap:
		frames = data.Frames{heatmap(m)}
	case q.Format == Table:
		frames = data.Frames{table(value)}
	default:
		frames = q.series(value)
	}
	for _, f := range frames {
		f.RefID = q.refID
		f.Meta.Custom = map[string]string{"resultType": value.Type().String()}
	}
	if len(frames) == 0 { // what is said of a query that found nothing
		frames = data.Frames{{RefID: q.refID, Meta: &data.FrameMeta{}}}
	}
	meta := frames[0].Meta
	meta.ExecutedQueryString = fmt.Sprintf("Expr: %s\nStep: %s", q.Expr, q.step)
	meta.Notices = notices(value, warnings)
	return frames
}

func notices(value model.Value, warnings []string) []data.Notice {
	var out []data.Notice
	for _, w := range warnings {
		out = append(out, data.Notice{Severity: data.NoticeSeverityWarning, Text: w})
	}
	if histograms(value) {
		out = append(out, data.Notice{Severity: data.NoticeSeverityWarning,
			Text: "native histograms are left out: take histogram_quantile() or the like of them"})
	}
	return out
}

func histograms(value model.Value) bool {
	switch v := value.(type) {
	case model.Matrix:
		return slices.ContainsFunc(v, func(s *model.SampleStream) bool { return len(s.Histograms) > 0 })
	case model.Vector:
		return slices.ContainsFunc(v, func(s *model.Sample) bool { return s.Histogram != nil })
	}
	return false
}

// series is one frame for each series.
func (q *Query) series(value model.Value) data.Frames {
	var frames data.Frames
	switch v := value.(type) {
	case model.Matrix:
		for _, s := range v {
			times, values := columns(s.Values)
			frames = append(frames, q.one(data.FrameTypeTimeSeriesMulti, s.Metric, times, values))
		}
	case model.Vector:
		for _, s := range v {
			if s.Histogram == nil {
				frames = append(frames, q.one(data.FrameTypeNumericMulti, s.Metric, []time.Time{s.Timestamp.Time()}, []float64{float64(s.Value)}))
			}
		}
	case *model.Scalar:
		frames = append(frames, q.one(data.FrameTypeNumericMulti, nil, []time.Time{v.Timestamp.Time()}, []float64{float64(v.Value)}))
	case *model.String:
		f := data.NewFrame("", data.NewField(TimeField, nil, []time.Time{v.Timestamp.Time()}), data.NewField(ValueField, nil, []string{v.Value}))
		f.Meta = &data.FrameMeta{}
		frames = append(frames, f)
	}
	return frames
}

func columns(pairs []model.SamplePair) ([]time.Time, []float64) {
	times, values := make([]time.Time, len(pairs)), make([]float64, len(pairs))
	for i, p := range pairs {
		times[i], values[i] = p.Timestamp.Time(), float64(p.Value)
	}
	return times, values
}

func (q *Query) one(kind data.FrameType, m model.Metric, times []time.Time, values []float64) *data.Frame {
	legend := Legend(q.LegendFormat, q.Expr, m)
	field := data.NewField(ValueField, Labels(m), values)
	field.Config = &data.FieldConfig{DisplayNameFromDS: legend}
	f := data.NewFrame(legend, data.NewField(TimeField, nil, times), field)
	f.Meta = &data.FrameMeta{Type: kind, TypeVersion: data.FrameTypeVersion{0, 1}}
	return f
}

// Wide is one frame with a column for each series: the form in which a live panel
// goes on. A column is named by its series, since Grafana finds it again by that.
func Wide(m model.Matrix, legend, expr string) *data.Frame {
	times := timesOf(m)
	row := make(map[model.Time]int, len(times))
	stamps := make([]time.Time, len(times))
	for i, t := range times {
		row[t], stamps[i] = i, t.Time()
	}
	f := data.NewFrame("", data.NewField(TimeField, nil, stamps))
	f.Meta = &data.FrameMeta{Type: data.FrameTypeTimeSeriesWide, TypeVersion: data.FrameTypeVersion{0, 1}}
	for _, s := range m {
		values := make([]*float64, len(times))
		for _, p := range s.Values {
			values[row[p.Timestamp]] = new(float64(p.Value))
		}
		f.Fields = append(f.Fields, Column(s.Metric, legend, expr, values))
	}
	return f
}

// Column is the field of one series in a wide frame.
func Column(m model.Metric, legend, expr string, values []*float64) *data.Field {
	field := data.NewField(m.String(), Labels(m), values)
	field.Config = &data.FieldConfig{DisplayNameFromDS: Legend(legend, expr, m)}
	return field
}

func timesOf(m model.Matrix) []model.Time {
	var all []model.Time
	for _, s := range m {
		for _, p := range s.Values {
			all = append(all, p.Timestamp)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// table is one frame with a row for each sample and a column for each label.
func table(value model.Value) *data.Frame {
	type line struct {
		m model.Metric
		p model.SamplePair
	}
	var lines []line
	switch v := value.(type) {
	case model.Matrix:
		for _, s := range v {
			for _, p := range s.Values {
				lines = append(lines, line{s.Metric, p})
			}
		}
	case model.Vector:
		for _, s := range v {
			lines = append(lines, line{s.Metric, model.SamplePair{Timestamp: s.Timestamp, Value: s.Value}})
		}
	case *model.Scalar:
		lines = append(lines, line{nil, model.SamplePair{Timestamp: v.Timestamp, Value: v.Value}})
	}
	names := map[model.LabelName]bool{}
	times, values := make([]time.Time, len(lines)), make([]float64, len(lines))
	for i, l := range lines {
		times[i], values[i] = l.p.Timestamp.Time(), float64(l.p.Value)
		for name := range l.m {
			names[name] = true
		}
	}
	f := data.NewFrame("", data.NewField(TimeField, nil, times))
	f.Meta = &data.FrameMeta{Type: data.FrameTypeTable, PreferredVisualization: data.VisTypeTable}
	for _, name := range sorted(names) {
		cells := make([]string, len(lines))
		for i, l := range lines {
			cells[i] = string(l.m[name])
		}
		f.Fields = append(f.Fields, data.NewField(string(name), nil, cells))
	}
	f.Fields = append(f.Fields, data.NewField(ValueField, nil, values))
	return f
}

func sorted(names map[model.LabelName]bool) []model.LabelName {
	out := make([]model.LabelName, 0, len(names))
	for n := range names {
		out = append(out, n)
	}
	slices.SortFunc(out, func(a, b model.LabelName) int { return strings.Compare(string(a), string(b)) })
	return out
}
