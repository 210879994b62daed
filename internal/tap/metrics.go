package tap

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	taken, refused, shown prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	m := &metrics{
		taken:   counter("thump_tap_taken_total", "Messages published on Redis's channels thump.metrics.* that were taken in as metrics."),
		refused: counter("thump_tap_refused_total", "Messages published on Redis's channels thump.metrics.* that the bus did not take."),
		shown:   counter("thump_tap_shown_total", "Batches shown as JSON on Redis's channels thump.metrics.*."),
	}
	if reg != nil {
		reg.MustRegister(m.taken, m.refused, m.shown)
	}
	return m
}
