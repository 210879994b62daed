package probe

import (
	"slices"
	"strings"
	"time"

	"thump/internal/telemetry"
)

// Sink takes the samples of one run of one probe. It keeps its buffers, and the
// labels of a series, from run to run: a probe that adds the same series in the
// same order allocates nothing. It is not safe for concurrent use.
type Sink struct {
	common  []telemetry.Label // of every series; static after construction
	keys    []key             // what series[i].Labels was made from
	series  []telemetry.Series
	samples []telemetry.Sample // samples[i] is that of series[i]; its length is that of this run
	now     int64              // of this run, Unix milliseconds
}

// key tells one series from another.
type key struct {
	desc   *Desc
	values []string
}

// NewSink returns a sink that puts common on every series.
func NewSink(common []telemetry.Label) *Sink { return &Sink{common: slices.Clone(common)} }

// Reset empties the sink for a run at t.
func (s *Sink) Reset(t time.Time) {
	s.samples = s.samples[:0]
	s.now = t.UnixMilli()
}

// Add adds a sample of the series that d and its label values name.
func (s *Sink) Add(d *Desc, v float64, values ...string) {
	i := len(s.samples)
	s.samples = append(s.samples, telemetry.Sample{Time: s.now, Value: v})
	if i < len(s.keys) && s.keys[i].desc == d && slices.Equal(s.keys[i].values, values) {
		return
	}
	k := key{desc: d, values: slices.Clone(values)}
	series := telemetry.Series{Labels: s.labels(k), Type: d.Type, Help: d.Help, Unit: d.Unit}
	if i < len(s.keys) {
		s.keys[i], s.series[i] = k, series
		return
	}
	s.keys, s.series = append(s.keys, k), append(s.series, series)
}

// Series is what this run added; it is valid until the next Reset.
func (s *Sink) Series() []telemetry.Series {
	run := s.series[:len(s.samples)]
	for i := range run {
		run[i].Samples = s.samples[i : i+1 : i+1]
	}
	return run
}

// labels are those of a series, sorted; its own win over the common ones.
func (s *Sink) labels(k key) []telemetry.Label {
	ls := make([]telemetry.Label, 0, 1+len(k.values)+len(s.common))
	ls = append(ls, telemetry.Label{Name: telemetry.NameLabel, Value: k.desc.Name})
	for i, v := range k.values {
		ls = append(ls, telemetry.Label{Name: k.desc.Labels[i], Value: strings.ToValidUTF8(v, "\uFFFD")})
	}
	for _, l := range s.common {
		if !slices.Contains(k.desc.Labels, l.Name) {
			ls = append(ls, l)
		}
	}
	slices.SortFunc(ls, func(a, b telemetry.Label) int { return strings.Compare(a.Name, b.Name) })
	return ls
}
