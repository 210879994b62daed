package telemetry

import "slices"

// Type is the type of a metric as Remote-Write 2.0 numbers it.
type Type uint8

// Metric types.
const (
	Unspecified Type = iota
	Counter
	Gauge
	Histogram
	GaugeHistogram
	Summary
	Info
	StateSet
)

// Label is one name and value of a series; the metric's name is the label
// "__name__".
type Label struct{ Name, Value string }

// Sample is one measured value. Time is in Unix milliseconds.
type Sample struct {
	Time  int64
	Value float64
}

// Series is a labelled run of samples. Labels are sorted by name.
type Series struct {
	Labels  []Label
	Type    Type
	Help    string
	Unit    string
	Samples []Sample
}

// Get returns the value of a label, or "".
func (s *Series) Get(name string) string {
	for i := range s.Labels {
		if s.Labels[i].Name == name {
			return s.Labels[i].Value
		}
	}
	return ""
}

// Name is the name of the metric.
func (s *Series) Name() string { return s.Get(NameLabel) }

// NameLabel is the label that carries the metric's name.
const NameLabel = "__name__"

func sortLabels(ls []Label) {
	slices.SortFunc(ls, func(a, b Label) int {
		switch {
		case a.Name < b.Name:
			return -1
		case a.Name > b.Name:
			return 1
		}
		return 0
	})
}
