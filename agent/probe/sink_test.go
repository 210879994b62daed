package probe

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"thump/internal/telemetry"
)

var labelsOfAll = []telemetry.Label{{Name: "job", Value: "node"}, {Name: "instance", Value: "web01"}, {Name: "device", Value: "common"}}

func labels(s telemetry.Series) string {
	var b strings.Builder
	for _, l := range s.Labels {
		b.WriteString(l.Name + "=" + l.Value + " ")
	}
	return b.String()
}

func TestSinkLabels(t *testing.T) {
	d := counter("node_x_seconds_total", "X.", "mode", "device")
	plain := gauge("node_y", "Y.")
	s := NewSink(labelsOfAll)
	s.Reset(time.UnixMilli(1234))
	s.Add(d, 1, "idle", "sda\xff")
	s.Add(plain, 2)
	got := s.Series()
	if want := "__name__=node_x_seconds_total device=sda\uFFFD instance=web01 job=node mode=idle "; labels(got[0]) != want {
		t.Errorf("labels %q, want %q", labels(got[0]), want)
	}
	if want := "__name__=node_y device=common instance=web01 job=node "; labels(got[1]) != want {
		t.Errorf("labels %q, want %q", labels(got[1]), want)
	}
	if s := got[0]; s.Type != telemetry.Counter || s.Help != "X." || s.Unit != "seconds" {
		t.Errorf("metadata %v %q %q", s.Type, s.Help, s.Unit)
	}
	if want := []telemetry.Sample{{Time: 1234, Value: 1}}; !slices.Equal(got[0].Samples, want) {
		t.Errorf("samples %v, want %v", got[0].Samples, want)
	}
}

// TestSinkOrderChanges: a device goes and another comes, and nothing of the run
// before shows through.
func TestSinkOrderChanges(t *testing.T) {
	d := gauge("node_up", "Up.", "device")
	s := NewSink(nil)
	for i, devices := range [][]string{{"a", "b", "c"}, {"a", "c"}, {"x", "a", "b", "c", "d"}, {}, {"d"}} {
		s.Reset(time.UnixMilli(int64(i)))
		for j, name := range devices {
			s.Add(d, float64(j), name)
		}
		got := s.Series()
		if len(got) != len(devices) {
			t.Fatalf("run %d: %d series, want %d", i, len(got), len(devices))
		}
		for j := range got {
			want := telemetry.Sample{Time: int64(i), Value: float64(j)}
			if got[j].Get("device") != devices[j] || got[j].Samples[0] != want || len(got[j].Samples) != 1 {
				t.Errorf("run %d, series %d: %s%v", i, j, labels(got[j]), got[j].Samples)
			}
		}
	}
}

func TestSinkReusesLabels(t *testing.T) {
	d := gauge("node_up", "Up.", "device")
	s := NewSink(labelsOfAll)
	devices := []string{"eth0", "eth1", "lo"}
	run := func() {
		s.Reset(time.UnixMilli(1))
		for _, name := range devices {
			s.Add(d, 1, name)
		}
		s.Series()
	}
	run()
	if n := testing.AllocsPerRun(100, run); n != 0 {
		t.Errorf("%v allocations per run, want none", n)
	}
}

type fake struct {
	err   error
	panic any
}

func (*fake) Name() string { return "fake" }

func (f *fake) Collect(_ context.Context, s *Sink) error {
	s.Add(load1, 7)
	if f.panic != nil {
		panic(f.panic)
	}
	return f.err
}

func TestMeasure(t *testing.T) {
	broken := errors.New("broken")
	tests := []struct {
		name    string
		probe   fake
		success float64
		err     string
	}{
		{"works", fake{}, 1, ""},
		{"fails", fake{err: broken}, 0, "probe fake: broken"},
		{"panics", fake{panic: "index out of range"}, 0, "probe fake: panic: index out of range"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := NewSink(nil)
			err := Measure(t.Context(), &tt.probe, s, time.UnixMilli(5))
			if text := ""; err != nil && err.Error() != tt.err || err == nil && tt.err != text {
				t.Errorf("error %v, want %q", err, tt.err)
			}
			got := values(s)
			if got["node_load1"] != 7 {
				t.Error("what was added before the failure is missing")
			}
			if v, ok := got[`node_scrape_collector_success{collector="fake"}`]; !ok || v != tt.success {
				t.Errorf("success %v, %v, want %v", v, ok, tt.success)
			}
			if v, ok := got[`node_scrape_collector_duration_seconds{collector="fake"}`]; !ok || v < 0 || v > 10 {
				t.Errorf("duration %v, %v", v, ok)
			}
		})
	}
}

// values are the samples of a run by series, as the text format names it.
func values(s *Sink) map[string]float64 {
	all := map[string]float64{}
	for _, series := range s.Series() {
		all[text(series)] = series.Samples[0].Value
	}
	return all
}

func text(s telemetry.Series) string {
	var pairs []string
	for _, l := range s.Labels[1:] {
		pairs = append(pairs, l.Name+`="`+l.Value+`"`)
	}
	if len(pairs) == 0 {
		return s.Name()
	}
	return s.Name() + "{" + strings.Join(pairs, ",") + "}"
}
