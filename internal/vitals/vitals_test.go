package vitals

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestText(t *testing.T) {
	reg := prometheus.NewRegistry()
	sent := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "thump_bus_delivered_total", Help: "Messages."}, []string{"component", "instance"})
	spool := prometheus.NewGauge(prometheus.GaugeOpts{Name: "thump_agent_spool_bytes"})
	foreign := prometheus.NewGauge(prometheus.GaugeOpts{Name: "alertmanager_alerts"})
	reg.MustRegister(sent, spool, foreign)
	sent.WithLabelValues("alerting", "db01").Add(3)
	r := New(Config{Job: "thump", Host: "mon01"}, Deps{Gatherer: reg})
	for range 2 { // the second must not find labels of the first
		text, err := r.text()
		want := `thump_bus_delivered_total{instance="mon01",job="thump",component="alerting",exported_instance="db01"} 3`
		if err != nil || !strings.Contains(string(text), want+"\n") {
			t.Fatalf("the text is %v\n%s\nwant in it %s", err, text, want)
		}
		if strings.Contains(string(text), "spool") || strings.Contains(string(text), "alertmanager") {
			t.Errorf("what is an agent's or a library's is there:\n%s", text)
		}
	}
}
