package alerting

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	stored     prometheus.Counter
	skipped    *prometheus.CounterVec
	ahead      prometheus.Counter
	messages   *prometheus.CounterVec
	failures   prometheus.Counter
	silent     prometheus.Gauge
	unwatched  prometheus.Counter
	changes    *prometheus.CounterVec
	reloads    *prometheus.CounterVec
	recorded   *prometheus.CounterVec
	unkept     prometheus.Counter
	heartbeats *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		stored: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "thump_alerting_samples_stored_total", Help: "Samples stored since a rule reads their series."}),
		skipped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "thump_alerting_samples_skipped_total", Help: "Samples not stored, by the reason: unread by any rule, late, or repeated with another value."}, []string{"reason"}),
		ahead: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "thump_alerting_samples_ahead_total", Help: "Samples from the future, stored as of their arrival."}),
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "thump_alerting_messages_total", Help: "Messages taken from the queue, by what became of them."}, []string{"outcome"}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "thump_alerting_store_failures_total", Help: "Failed attempts to store what arrived; it is tried again."}),
		silent: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "thump_alerting_silent_hosts", Help: "Hosts that have stopped reporting."}),
		unwatched: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "thump_alerting_unwatched_messages_total", Help: "Messages of hosts beyond the number that is watched."}),
		changes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "thump_alerting_alert_changes_total", Help: "Alerts that began to fire or ended, by whether that was published."}, []string{"outcome"}),
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "thump_alerting_reloads_total", Help: "Reloads of rules and routes, by their outcome."}, []string{"outcome"}),
		recorded: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "thump_alerting_recorded_samples_total", Help: "Samples that rules wrote and that are for history, by whether they were published."}, []string{"outcome"}),
	}
	m.unkept = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "thump_alerting_changes_unkept_total", Help: "Changes of alerts that the history of alerts does not have, since the disk failed or the day was full."})
	m.heartbeats = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "thump_alerting_heartbeats_total", Help: "Heartbeats sent to the heartbeat URL, by their outcome."}, []string{"outcome"})
	for _, o := range []string{"sent", "failed"} {
		m.heartbeats.WithLabelValues(o)
	}
	for _, r := range []string{"unread", "late", "repeated"} {
		m.skipped.WithLabelValues(r)
	}
	for _, o := range []string{"acknowledged", "rejected"} {
		m.messages.WithLabelValues(o)
	}
	for _, o := range []string{"published", "dropped"} {
		m.changes.WithLabelValues(o)
		m.recorded.WithLabelValues(o)
	}
	for _, o := range []string{"done", "failed"} {
		m.reloads.WithLabelValues(o)
	}
	reg.MustRegister(m.stored, m.skipped, m.ahead, m.messages, m.failures, m.silent, m.unwatched, m.changes, m.reloads, m.recorded, m.unkept, m.heartbeats)
	return m
}
