package forward

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics of all destinations, by their name.
type metrics struct {
	sent     *prometheus.CounterVec
	dropped  *prometheus.CounterVec // and by reason
	retries  *prometheus.CounterVec
	lost     *prometheus.CounterVec
	position *prometheus.GaugeVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	const prefix, destination = "thump_collector_forward_", "destination"
	f := promauto.With(r)
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Name: prefix + name, Help: help}, append([]string{destination}, labels...))
	}
	return &metrics{
		sent:    counter("samples_total", "Samples that a destination has taken."),
		dropped: counter("samples_dropped_total", "Samples that are not sent, or were refused for good, by reason.", "reason"),
		retries: counter("retries_total", "Requests that failed and are made again."),
		lost:    counter("segments_lost_total", "Segments of the log that were gone, or unreadable, before a destination had them."),
		position: f.NewGaugeVec(prometheus.GaugeOpts{Name: prefix + "behind_segments",
			Help: "Segments of the log that a destination has yet to be sent in full, the newest not counted."}, []string{destination}),
	}
}
