package probe

import (
	"testing"
	"time"

	"thump/internal/telemetry"
)

func BenchmarkProbe(b *testing.B) {
	probes, err := All(Options{})
	if err != nil {
		b.Fatal(err)
	}
	common := []telemetry.Label{{Name: "instance", Value: "web01"}, {Name: "job", Value: "node"}, {Name: "group", Value: "default"}}
	for _, p := range probes {
		b.Run(p.Name(), func(b *testing.B) {
			s := NewSink(common)
			b.ReportAllocs()
			for b.Loop() {
				if err := Measure(b.Context(), p, s, time.Now()); err != nil {
					b.Skip(err) // a host may lack systemd
				}
			}
			b.ReportMetric(float64(len(s.Series())), "series")
		})
	}
}
