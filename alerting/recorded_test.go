package alerting_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/value"

	"thump/internal/bus"
	"thump/internal/telemetry"
)

const recordingRule = `
groups:
  - name: recording
    interval: 200ms
    rules:
      - {record: "busy:max", expr: "max by (instance) (busy)"}
      - {alert: Busy, expr: "busy:max > 90", labels: {severity: page}}
`

// TestRecordedIsPublished: history gets recorded series, ALERTS and
// ALERTS_FOR_STATE through the broker; alerting, which gets them too, leaves them.
func TestRecordedIsPublished(t *testing.T) {
	t.Parallel()
	url, hook := startBroker(t), newWebhook(t)
	tap := connect(t, url, "tap")
	taken := make(chan struct{}, 1)
	live := telemetry.Live()
	live.Taken = func() { taken <- struct{}{} }
	deliveries, err := tap.Subscribe(t.Context(), live)
	if err != nil {
		t.Fatal(err)
	}
	<-taken
	p := newSetup(t, connect(t, url, "alerting"), recordingRule, routes(hook.URL)).start(t)
	a := newAgent(t, tap, "web01", time.Minute)
	a.publish("cpu", "busy", 97)
	hook.next(t, patience, "firing", "Busy", "web01")

	got := map[string][]float64{}
	gather := func(until func() bool) {
		t.Helper()
		for end := time.After(2 * patience); !until(); {
			select {
			case d := <-deliveries:
				gatherRecorded(t, got, d)
			case <-end:
				t.Fatalf("published so far: %v", got)
			}
		}
	}
	gather(func() bool {
		return len(got["busy:max"]) > 0 && len(got["ALERTS"]) > 0 && len(got["ALERTS_FOR_STATE"]) > 0
	})
	if !slices.Equal(got["busy:max"], []float64{97}) || !slices.Equal(got["ALERTS"], []float64{1}) {
		t.Errorf("published %v, want 97 and 1, once since they did not change", got)
	}
	time.Sleep(recordedPause) // values closer together are left out
	a.publish("cpu", "busy", 20)
	hook.next(t, patience, "resolved", "Busy", "web01")
	gather(func() bool { return len(got["busy:max"]) > 1 && len(got["ALERTS"]) > 1 })
	if got["busy:max"][1] != 20 || !value.IsStaleNaN(got["ALERTS"][1]) {
		t.Errorf("published %v, want 20 and the end of ALERTS", got)
	}
	eventually(t, "two messages are of an agent", func() bool {
		return p.counter(t, "thump_alerting_samples_stored_total") == 2 && p.counter(t, "thump_alerting_recorded_samples_total", "outcome=published") >= 5
	})
	if got := p.counter(t, "thump_alerting_samples_skipped_total"); got != 0 {
		t.Errorf("%v samples skipped, want none: its own messages are not read", got)
	}
}

const recordedPause = 1100 * time.Millisecond

func gatherRecorded(t *testing.T, got map[string][]float64, d *bus.Delivery) {
	t.Helper()
	if d.Headers[telemetry.ProbeHeader] != "alerting" {
		return
	}
	if d.Headers[telemetry.HostHeader] != "" {
		t.Errorf("headers %v: what rules write is a sign of life of no host", d.Headers)
	}
	err := telemetry.Decode(&d.Message, func(s *telemetry.Series) error {
		for _, p := range s.Samples {
			if math.IsNaN(p.Value) && !value.IsStaleNaN(p.Value) {
				t.Errorf("%s: NaN", s.Name())
			}
			got[s.Name()] = append(got[s.Name()], p.Value)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
