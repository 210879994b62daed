package check

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"thump/agent/probe"
	"thump/internal/telemetry"
)

// Limits of what a check may add.
const (
	maxSeries      = 5000 // of one run
	maxLabels      = 64   // of one series
	maxLabelValue  = 1024 // bytes
	maxNameLength  = 256  // bytes of a metric's or a label's name
	maxRemembered  = 4 * maxSeries
	exportedPrefix = "exported_"
)

// sample is a value that a check read. Its labels are valid only during the call
// that it is passed in.
type sample struct {
	name   string
	typ    telemetry.Type
	help   string
	labels []telemetry.Label
	value  float64
}

// output takes the samples of a check. It remembers the series of the runs before,
// so that one that comes again allocates nothing.
type output struct {
	// Static after construction.
	check string
	extra []telemetry.Label // added to every sample, over its own

	// Owned by Collect.
	sink  *probe.Sink
	run   uint64
	count int // of this run
	err   error
	known map[string]*series
	key   []byte // scratch
}

// series is what a sample's name and labels became.
type series struct {
	desc   *probe.Desc
	values []string
	run    uint64 // last one that it was in
}

func newOutput(check string, labels map[string]string) *output {
	o := &output{check: check, known: map[string]*series{}}
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		o.extra = append(o.extra, telemetry.Label{Name: name, Value: labels[name]})
	}
	return o
}

// begin starts a run.
func (o *output) begin(s *probe.Sink) {
	o.sink, o.count, o.err = s, 0, nil
	o.run++
	if len(o.known) > maxRemembered {
		clear(o.known)
	}
}

// add adds a sample. The first one that cannot be added is the run's error; the
// same series twice counts once, as in Prometheus.
func (o *output) add(m *sample) {
	if o.count >= maxSeries {
		o.fail(fmt.Errorf("more than %d series", maxSeries))
		return
	}
	o.key = append(append(o.key[:0], m.name...), 0xff, byte(m.typ))
	for _, l := range m.labels {
		o.key = append(append(append(append(o.key, 0xff), l.Name...), 0xff), l.Value...)
	}
	s := o.known[string(o.key)]
	if s == nil {
		var err error
		if s, err = o.describe(m); err != nil {
			o.fail(err)
			return
		}
		o.known[string(o.key)] = s
	}
	if s.run == o.run {
		return
	}
	s.run = o.run
	o.count++
	o.sink.Add(s.desc, m.value, s.values...)
}

// put adds a gauge of the check itself, labelled with its name.
func (o *output) put(name, help string, value float64, labels ...telemetry.Label) {
	labels = append([]telemetry.Label{{Name: "check", Value: o.check}}, labels...)
	o.add(&sample{name: name, typ: telemetry.Gauge, help: help, labels: labels, value: value})
}

func (o *output) fail(err error) {
	if o.err == nil {
		o.err = err
	}
}

// describe completes and checks the labels of a new series.
func (o *output) describe(m *sample) (*series, error) {
	labels := map[string]string{}
	for _, l := range m.labels {
		switch {
		case l.Value == "": // the same as none
			continue
		case l.Name == "instance" || l.Name == "job" || l.Name == "group":
			labels[exportedPrefix+l.Name] = l.Value // as Prometheus does: these are the agent's
		default:
			labels[l.Name] = l.Value
		}
	}
	for _, l := range o.extra {
		labels[l.Name] = l.Value
	}
	if err := checkLabels(m.name, labels); err != nil {
		return nil, err
	}
	names := slices.Sorted(maps.Keys(labels))
	s := &series{desc: probe.NewDesc(strings.Clone(m.name), m.typ, strings.Clone(m.help), names...)}
	for _, name := range names {
		s.values = append(s.values, strings.Clone(labels[name]))
	}
	return s, nil
}

func checkLabels(metric string, labels map[string]string) error {
	if metric == "" || len(metric) > maxNameLength {
		return fmt.Errorf("metric name of %d bytes, want 1 to %d", len(metric), maxNameLength)
	}
	if len(labels) > maxLabels {
		return fmt.Errorf("metric %s: %d labels, more than %d", metric, len(labels), maxLabels)
	}
	for name, value := range labels {
		switch {
		case len(name) > maxNameLength || name == "" || name == telemetry.NameLabel:
			return fmt.Errorf("metric %s: bad label name %.60q", metric, name)
		case len(value) > maxLabelValue:
			return fmt.Errorf("metric %s: label %s of %d bytes, more than %d", metric, name, len(value), maxLabelValue)
		}
	}
	return nil
}
