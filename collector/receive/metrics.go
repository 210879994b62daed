package receive

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics of the ways in.
type metrics struct {
	requests *prometheus.CounterVec // by way and code
	samples  *prometheus.CounterVec // by way
	skipped  *prometheus.CounterVec // by way and reason
	rejected *prometheus.CounterVec // by queue
	failures *prometheus.CounterVec // by queue
}

func newMetrics(r prometheus.Registerer, p *pushed) *metrics {
	const prefix = "thump_collector_receive_"
	f := promauto.With(r)
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Name: prefix + name, Help: help}, labels)
	}
	f.NewGaugeFunc(prometheus.GaugeOpts{Name: prefix + "pushed_series", Help: "Series that were pushed and are published again."},
		func() float64 { return float64(p.series()) })
	return &metrics{
		requests: counter("requests_total", "Requests that brought metrics, by way and answer.", "way", "code"),
		samples:  counter("samples_total", "Samples published, confirmed by the broker, by way.", "way"),
		skipped:  counter("samples_skipped_total", "Samples that a series of floats cannot say, by way and reason.", "way", "reason"),
		rejected: counter("messages_rejected_total", "Messages that could not be decoded and went to thump.rejected, by queue.", "queue"),
		failures: counter("publish_failures_total", "Attempts to publish what a queue brought that are made again, by queue.", "queue"),
	}
}

func (m *metrics) skip(way string, skipped map[string]int) {
	for reason, n := range skipped {
		m.skipped.WithLabelValues(way, reason).Add(float64(n))
	}
}
