package collector

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics of the collector; the TSDB and the query engine add their own.
type metrics struct {
	messages         prometheus.Counter
	samples          prometheus.Counter
	rejectedMessages *prometheus.CounterVec // by reason
	rejectedSamples  *prometheus.CounterVec // by reason
	commits          prometheus.Histogram
	syncs            prometheus.Histogram
	failures         prometheus.Counter
	lag              prometheus.Gauge
	remembered       prometheus.Gauge
	reports          *prometheus.CounterVec // by outcome
	told             *prometheus.CounterVec // by outcome
}

func newMetrics(r prometheus.Registerer, h *hosts) *metrics {
	m := &metrics{}
	f := promauto.With(r)
	m.messages = f.NewCounter(counter("messages_total", "Messages stored and acknowledged, or rejected."))
	m.samples = f.NewCounter(counter("samples_appended_total", "Samples stored; repetitions count again."))
	m.rejectedMessages = f.NewCounterVec(counter("messages_rejected_total", "Messages rejected to thump.rejected, by reason."), []string{"reason"})
	m.rejectedSamples = f.NewCounterVec(counter("samples_rejected_total", "Samples that history does not take, by reason."), []string{"reason"})
	m.commits = f.NewHistogram(durations("commit_duration_seconds", "Time to decode and commit one batch of messages."))
	m.syncs = f.NewHistogram(durations("sync_duration_seconds", "Time to bring committed samples to stable storage."))
	m.failures = f.NewCounter(counter("storage_failures_total", "Attempts to store that failed and are made again."))
	m.lag = f.NewGauge(gauge("lag_seconds", "Age of the newest message when it was stored."))
	m.remembered = f.NewGauge(gauge("remembered_series", "Series whose reference is remembered from one batch to the next."))
	m.reports = f.NewCounterVec(counter("agent_reports_total", "Reports of agents, by what became of them."), []string{"outcome"})
	m.told = f.NewCounterVec(counter("templates_told_total", "Templates, or that they hold, told to agents, by outcome."), []string{"outcome"})
	f.NewGaugeFunc(gauge("hosts", "Hosts known."), func() float64 { known, _, _ := h.count(); return float64(known) })
	f.NewGaugeFunc(gauge("silent_hosts", "Hosts that have fallen silent."), func() float64 { _, silent, _ := h.count(); return float64(silent) })
	f.NewCounterFunc(counter("hosts_refused_total", "Messages of hosts beyond the number that are watched."),
		func() float64 { _, _, refused := h.count(); return float64(refused) })
	return m
}

// judged counts what is not taken of a message.
func (m *metrics) judged(v *verdict) {
	for reason, n := range v.refused {
		m.rejectedSamples.WithLabelValues(reason).Add(float64(n))
	}
	switch {
	case v.unreadable != "":
		m.messages.Inc()
		m.rejectedMessages.WithLabelValues(v.unreadable).Inc()
	case v.rejected():
		m.messages.Inc()
		m.rejectedMessages.WithLabelValues("partly_refused").Inc()
	}
}

const prefix = "thump_collector_"

func counter(name, help string) prometheus.CounterOpts {
	return prometheus.CounterOpts{Name: prefix + name, Help: help}
}

func gauge(name, help string) prometheus.GaugeOpts {
	return prometheus.GaugeOpts{Name: prefix + name, Help: help}
}

func durations(name, help string) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{
		Name: prefix + name, Help: help,
		Buckets:                     prometheus.ExponentialBuckets(0.0005, 4, 8), // 0.5 ms to 8 s
		NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100, NativeHistogramMinResetDuration: time.Hour,
	}
}
