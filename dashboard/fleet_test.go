package dashboard

import (
	"math"
	"testing"
	"time"

	"thump/internal/bus"
	"thump/internal/telemetry"
)

var t0 = time.Unix(1_800_000_000, 0)

func message(host, name string, interval time.Duration, at time.Time) *bus.Message {
	return new(telemetry.Encoder).Encode(&telemetry.Batch{
		Host: host, Group: "web", Probe: "p", Interval: interval, Time: at,
		Series: []telemetry.Series{{
			Labels:  []telemetry.Label{{Name: telemetry.NameLabel, Value: name}},
			Samples: []telemetry.Sample{{Time: at.UnixMilli(), Value: 1}},
		}},
	})
}

func take(t *testing.T, f *fleet, host, name string, at time.Time) {
	t.Helper()
	if _, err := f.take(message(host, name, 10*time.Second, at), at); err != nil {
		t.Fatal(err)
	}
}

func TestSilentHostFallsOnceAndComesBack(t *testing.T) {
	f := newFleet(DefaultConfig(), newMetrics(nil), t0)
	take(t, f, "web01", "a", t0)
	if fell := f.fall(t0.Add(14 * time.Second)); len(fell) != 0 {
		t.Errorf("%s fell before its interval and the grace were over", fell[0].name)
	}
	fell := f.fall(t0.Add(16 * time.Second))
	if len(fell) != 1 || !fell[0].row().Silent {
		t.Fatalf("fell %v, want web01, silent", fell)
	}
	if again := f.fall(t0.Add(17 * time.Second)); len(again) != 0 {
		t.Error("web01 fell twice")
	}
	take(t, f, "web01", "a", t0.Add(20*time.Second))
	if f.hosts["web01"].silent {
		t.Error("web01 is silent though it reports")
	}
}

// While the bus is cut nobody can be heard, which is not their silence.
func TestNobodyFallsWhenTheLinkIsBack(t *testing.T) {
	f := newFleet(DefaultConfig(), newMetrics(nil), t0)
	take(t, f, "web01", "a", t0)
	back := t0.Add(time.Hour)
	f.linkChanged(true, back)
	if fell := f.fall(back.Add(time.Second)); len(fell) != 0 {
		t.Error("web01 fell silent by the cut of the link")
	}
}

func TestSilentHostMakesRoom(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MaxHosts = 2
	f := newFleet(cfg, newMetrics(nil), t0)
	take(t, f, "old", "a", t0)
	take(t, f, "new", "a", t0.Add(20*time.Second))
	f.fall(t0.Add(20 * time.Second))
	take(t, f, "next", "a", t0.Add(21*time.Second))
	if f.hosts["old"] != nil || f.hosts["new"] == nil || f.hosts["next"] == nil {
		t.Errorf("hosts %v, want new and next", f.hosts)
	}
}

func TestStaleSeriesIsForgotten(t *testing.T) {
	f := newFleet(DefaultConfig(), newMetrics(nil), t0)
	take(t, f, "web01", "node_load1", t0)
	later := t0.Add(staleAfter + time.Minute)
	take(t, f, "web01", "b", later)
	f.sweep(later)
	if h := f.hosts["web01"]; len(h.series) != 1 || len(h.byRole[load1]) != 0 {
		t.Errorf("series %v and load %v, want b alone", h.series, h.byRole[load1])
	}
}

func TestSparkKeepsStepsAndGaps(t *testing.T) {
	var s spark
	if values, _ := s.list(); values != nil {
		t.Fatalf("an empty spark has values %v", values)
	}
	s.add(0.1, t0)
	s.add(0.2, t0.Add(time.Second)) // the same step
	s.add(0.3, t0.Add(3*sparkStep)) // two steps later
	values, end := s.list()
	if len(values) != sparkPoints || !end.Equal(t0.Add(3*sparkStep)) {
		t.Fatalf("%d values up to %v", len(values), end)
	}
	got := values[sparkPoints-4:]
	if float32(got[0]) != 0.2 || !math.IsNaN(float64(got[1])) || !math.IsNaN(float64(got[2])) || float32(got[3]) != 0.3 {
		t.Errorf("values %v, want 0.2, two gaps, 0.3", got)
	}
	s.add(0.4, t0.Add(time.Hour))
	values, _ = s.list()
	if !math.IsNaN(float64(values[0])) || float32(values[sparkPoints-1]) != 0.4 {
		t.Errorf("after an hour %v, want 0.4 alone", values)
	}
}

func TestRateIsOfWholeSeconds(t *testing.T) {
	var r rate
	if got := r.perSecond(t0); got != 0 {
		t.Errorf("rate of nothing is %v", got)
	}
	r.add(50, t0)
	if got := r.perSecond(t0); got != 50 {
		t.Errorf("in the first second %v, want 50", got)
	}
	for i := range 20 {
		r.add(100, t0.Add(time.Duration(i)*time.Second))
	}
	if got := r.perSecond(t0.Add(19*time.Second + time.Second/2)); got != 100 {
		t.Errorf("steady %v, want 100", got)
	}
	if got := r.perSecond(t0.Add(time.Minute)); got != 0 {
		t.Errorf("after a minute of nothing %v, want 0", got)
	}
}
