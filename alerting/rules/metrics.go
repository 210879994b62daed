package rules

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	promrules "github.com/prometheus/prometheus/rules"
)

type metrics struct {
	evaluations *prometheus.CounterVec
	seconds     prometheus.Histogram
	coalesced   prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, m *promrules.Manager) *metrics {
	o := &metrics{
		evaluations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "thump_alerting_evaluations_total", Help: "Evaluations of a group of rules, by what caused them.",
		}, []string{"cause"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "thump_alerting_evaluation_seconds", Help: "How long the evaluation of a group took.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 4, 9),
		}),
		coalesced: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "thump_alerting_evaluations_coalesced_total", Help: "Wishes for an evaluation that were met by one already due.",
		}),
	}
	for _, c := range causes {
		o.evaluations.WithLabelValues(string(c))
	}
	reg.MustRegister(o.evaluations, o.seconds, o.coalesced, &alerts{m, prometheus.NewDesc(
		"thump_alerting_alerts", "Alerts of all rules by their state.", []string{"state"}, nil)})
	return o
}

func (o *metrics) evaluated(c Cause, took time.Duration) {
	o.evaluations.WithLabelValues(string(c)).Inc()
	o.seconds.Observe(took.Seconds())
}

// alerts counts the manager's alerts when it is asked.
type alerts struct {
	manager *promrules.Manager
	desc    *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (a *alerts) Describe(ch chan<- *prometheus.Desc) { ch <- a.desc }

// Collect implements prometheus.Collector.
func (a *alerts) Collect(ch chan<- prometheus.Metric) {
	count := map[promrules.AlertState]int{}
	for _, r := range a.manager.AlertingRules() {
		r.ForEachActiveAlert(func(x *promrules.Alert) { count[x.State]++ })
	}
	for _, s := range []promrules.AlertState{promrules.StatePending, promrules.StateFiring} {
		ch <- prometheus.MustNewConstMetric(a.desc, prometheus.GaugeValue, float64(count[s]), s.String())
	}
}
