package bus

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of one bus; the label component is the connection's name.
type metrics struct {
	connected prometheus.Gauge
	failures  prometheus.Counter
	published *prometheus.CounterVec
	delivered prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, component string) *metrics {
	l := prometheus.Labels{"component": component}
	m := &metrics{
		connected: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "thump_bus_connected", Help: "1 while the link to the broker is up.", ConstLabels: l}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "thump_bus_connect_failures_total", Help: "Attempts to connect that failed.", ConstLabels: l}),
		published: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "thump_bus_published_total", Help: "Messages published, by what became of them.", ConstLabels: l}, []string{"outcome"}),
		delivered: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "thump_bus_delivered_total", Help: "Messages delivered to this component.", ConstLabels: l}),
	}
	if reg != nil {
		reg.MustRegister(m.connected, m.failures, m.published, m.delivered)
	}
	return m
}

func outcome(err error) string {
	switch {
	case err == nil:
		return "confirmed"
	case errors.Is(err, ErrNotConnected):
		return "not_connected"
	case errors.Is(err, ErrUnroutable):
		return "unroutable"
	case errors.Is(err, ErrRefused):
		return "refused"
	}
	return "link_lost"
}
