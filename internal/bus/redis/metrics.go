package redis

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of one bus on Redis, besides those that every bus has.
type metrics struct {
	missed prometheus.Counter
	length *prometheus.GaugeVec
	lost   *prometheus.GaugeVec

	mu   sync.Mutex
	seen map[string]int // guarded by mu: what was lost when last looked, by queue
}

func newMetrics(reg prometheus.Registerer, component string) *metrics {
	l := prometheus.Labels{"component": component}
	m := &metrics{
		seen: map[string]int{},
		missed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "thump_bus_live_missed_total", Help: "Messages that a live subscription on Redis was too slow for.", ConstLabels: l}),
		length: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "thump_bus_queue_messages", Help: "Messages in the stream of a queue on Redis.", ConstLabels: l}, []string{"queue"}),
		lost: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "thump_bus_queue_lost_messages", Help: "Messages that fell out of the stream's bound before the queue's consumer saw them, since the stream was made.", ConstLabels: l}, []string{"queue"}),
	}
	if reg != nil {
		reg.MustRegister(m.missed, m.length, m.lost)
	}
	return m
}

// queue notes the state of a queue, and returns how many more messages it has
// lost than when it was last noted.
func (m *metrics) queue(name string, length, lost int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.length.WithLabelValues(name).Set(float64(length))
	m.lost.WithLabelValues(name).Set(float64(lost))
	more := lost - m.seen[name]
	m.seen[name] = lost
	return more
}
