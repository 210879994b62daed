package dashboard

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	messages *prometheus.CounterVec
	samples  prometheus.Counter
	unshown  *prometheus.CounterVec
	hosts    prometheus.Gauge
	series   prometheus.Gauge
	browsers prometheus.Gauge
	refused  prometheus.Counter
	sent     prometheus.Counter
	dropped  prometheus.Counter
	boosts   *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "thump_dashboard_messages_total", Help: "Messages received, by what became of them."}, []string{"outcome"}),
		samples: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "thump_dashboard_samples_total", Help: "Samples received."}),
		unshown: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "thump_dashboard_not_shown_total", Help: "Samples of hosts (messages) and series beyond the limits max_hosts and max_series."}, []string{"limit"}),
		hosts: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "thump_dashboard_hosts", Help: "Hosts whose latest values are kept."}),
		series: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "thump_dashboard_series", Help: "Series whose latest value is kept."}),
		browsers: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "thump_dashboard_browsers", Help: "Browsers that follow the live stream."}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "thump_dashboard_browsers_refused_total", Help: "Browsers refused since max_browsers was reached."}),
		sent: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "thump_dashboard_frames_total", Help: "Events queued for browsers."}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "thump_dashboard_frames_dropped_total", Help: "Events dropped since a browser was slow."}),
		boosts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "thump_dashboard_boosts_total", Help: "Requests to a host that is looked at to measure every second, by outcome."}, []string{"outcome"}),
	}
	if reg != nil {
		reg.MustRegister(m.messages, m.samples, m.unshown, m.hosts, m.series, m.browsers, m.refused, m.sent, m.dropped, m.boosts)
	}
	return m
}

// took counts a message by what became of it.
func (m *metrics) took(err error) {
	outcome := "undecodable"
	switch {
	case err == nil:
		outcome = "shown"
	case errors.Is(err, errNoHost):
		outcome = "no_host"
	case errors.Is(err, errFull):
		outcome = "too_many_hosts"
	}
	m.messages.WithLabelValues(outcome).Inc()
}
