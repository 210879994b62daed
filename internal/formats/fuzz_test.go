package formats_test

import (
	"testing"

	"thump/internal/bus"
	"thump/internal/formats"
	"thump/internal/telemetry"
)

// FuzzDecode: whatever arrives, in whichever format, what comes out is well formed
// and within the limits.
func FuzzDecode(f *testing.F) {
	types := []string{
		"application/x-protobuf", "text/plain", "text/plain; version=0.0.4", "application/openmetrics-text",
		"application/x-protobuf;proto=opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest",
	}
	f.Add(uint8(0), writeRequest(f))
	f.Add(uint8(1), []byte("cpu,host=a usage=1,b=true,s=\"x\" 1790000001500000000"))
	f.Add(uint8(2), []byte(histogramText))
	f.Add(uint8(3), []byte("# TYPE a counter\na_total 1 2.5 # {x=\"y\"} 1\n# EOF\n"))
	f.Add(uint8(4), exportRequest(f))
	f.Add(uint8(4), []byte(`{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"a","gauge":{"dataPoints":[{"asDouble":1}]}}]}]}]}`))
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		m := bus.Message{ContentType: types[int(which)%len(types)], Body: body, Time: at}
		d := telemetry.NewDecoder(10, formats.All()...)
		samples := 0
		_ = d.Decode(&m, func(r *telemetry.Run) error { // an error is an answer too
			s := *r.Series()
			samples += len(s.Samples)
			if before := len(s.Labels); s.Normalize() != nil || len(s.Labels) != before {
				t.Errorf("a series that is not well formed: %v", s.Labels)
			}
			return nil
		})
		if samples > telemetry.MaxSamples {
			t.Errorf("%d samples", samples)
		}
	})
}
