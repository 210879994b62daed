package agent

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"thump/agent/spool"
)

// metrics is what the agent counts of itself. What the probe "agent" publishes
// too has the same name there.
type metrics struct {
	published   prometheus.Counter
	unpublished *prometheus.CounterVec
	failures    *prometheus.CounterVec
	skipped     *prometheus.CounterVec

	allSkipped atomic.Uint64 // skipped, summed over the probes
}

func newMetrics(r prometheus.Registerer, stats func() spool.Stats) *metrics {
	m := &metrics{
		published: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "thump_agent_published_batches_total", Help: "Batches that the broker has confirmed.",
		}),
		unpublished: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "thump_agent_publish_failures_total", Help: "Batches that were not confirmed and went back to the spool.",
		}, []string{"reason"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "thump_agent_probe_failures_total", Help: "Runs of a probe that failed.",
		}, []string{"probe"}),
		skipped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "thump_agent_skipped_runs_total", Help: "Runs of a probe left out because the one before took too long.",
		}, []string{"probe"}),
	}
	r.MustRegister(m.published, m.unpublished, m.failures, m.skipped,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: spoolBytes.Name, Help: spoolBytes.Help},
			func() float64 { return float64(stats().Bytes) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: spoolBatches.Name, Help: spoolBatches.Help},
			func() float64 { return float64(stats().Batches) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: droppedBatches.Name, Help: droppedBatches.Help},
			func() float64 { return float64(stats().Dropped) }),
	)
	return m
}

// skip counts runs of a probe that were left out.
func (m *metrics) skip(probe string, runs int) {
	if runs > 0 {
		m.skipped.WithLabelValues(probe).Add(float64(runs))
		m.allSkipped.Add(uint64(runs))
	}
}
