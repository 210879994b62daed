package check

import (
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"thump/agent/probe"
	"thump/internal/telemetry"
)

// parse reads a check as a template does.
func parse(t *testing.T, text string) Spec {
	t.Helper()
	var s Spec
	dec := yaml.NewDecoder(strings.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&s); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return s
}

func open(t *testing.T, text string) *Check {
	t.Helper()
	c, err := New(parse(t, text), Env{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// collect runs a check and returns its samples by series.
func collect(t *testing.T, c *Check) (map[string]float64, error) {
	t.Helper()
	s := probe.NewSink([]telemetry.Label{{Name: "instance", Value: "web01"}, {Name: "job", Value: "node"}})
	s.Reset(time.UnixMilli(1))
	err := c.Collect(t.Context(), s)
	all := map[string]float64{}
	for _, series := range s.Series() {
		if series.Name() == "thump_check_duration_seconds" {
			continue
		}
		if _, twice := all[text(&series)]; twice {
			t.Errorf("%s twice", text(&series))
		}
		all[text(&series)] = series.Samples[0].Value
	}
	return all, err
}

// text names a series without the labels that all have alike.
func text(s *telemetry.Series) string {
	var pairs []string
	for _, l := range s.Labels {
		if l.Name != "__name__" && l.Name != "instance" && l != (telemetry.Label{Name: "job", Value: "node"}) {
			pairs = append(pairs, l.Name+`="`+l.Value+`"`)
		}
	}
	return s.Name() + "{" + strings.Join(pairs, ",") + "}"
}

// compare wants the series given and no others; NaN is itself here.
func compare(t *testing.T, got, want map[string]float64) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if v, found := got[name]; !found || math.Abs(v-want[name]) > 1e-12*math.Abs(v) || math.IsNaN(v) != math.IsNaN(want[name]) {
			t.Errorf("%s = %v (%v), want %v", name, v, found, want[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if _, found := want[name]; !found {
			t.Errorf("unexpected %s = %v", name, got[name])
		}
	}
}

func TestValidate(t *testing.T) {
	tests := []struct{ name, spec, want string }{
		{"good", "{name: a, exec: {command: [/bin/true]}}", ""},
		{"no kind", "{name: a}", "has 0 kinds"},
		{"two kinds", "{name: a, tcp: {address: 'h:1'}, file: {path: /x}}", "has 2 kinds"},
		{"name", "{name: A b, file: {path: /x}}", "name: want"},
		{"interval", "{name: a, interval: 10ms, file: {path: /x}}", "interval: 10ms"},
		{"timeout", "{name: a, interval: 5s, timeout: 6s, file: {path: /x}}", "timeout: 6s"},
		{"label", "{name: a, labels: {instance: x}, file: {path: /x}}", `"instance" cannot be set`},
		{"relative command", "{name: a, exec: {command: [true]}}", "no absolute path"},
		{"shell line", "{name: a, exec: {command: [echo, x], shell: true}}", "want one line"},
		{"format", "{name: a, exec: {command: [/x], format: xml}}", `format: "xml"`},
		{"max output", "{name: a, exec: {command: [/x], max_output: 1GiB}}", "max_output"},
		{"url", "{name: a, http: {url: ftp://x}}", "url:"},
		{"status", "{name: a, http: {url: 'http://x', status: [20]}}", "status: 20"},
		{"latency", "{name: a, http: {url: 'http://x', warn: 2s, crit: 1s}}", "warn, crit"},
		{"expiry", "{name: a, tls: {address: 'x:443', cert_warn: 1d, cert_crit: 2d}}", "cert_warn"},
		{"address", "{name: a, tcp: {address: x}}", "want HOST:PORT"},
		{"dns type", "{name: a, dns: {query: x, type: SOA}}", `type: "SOA"`},
		{"ping count", "{name: a, ping: {host: x, count: 99}}", "count: 99"},
		{"process", "{name: a, process: {}}", "want name or cmdline"},
		{"file", "{name: a, file: {path: x}}", "not absolute"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := parse(t, tt.spec).Validate()
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

// TestInfo: a check that says something else each time makes few series.
func TestInfo(t *testing.T) {
	var i info
	s := probe.NewSink(nil)
	texts, live := map[string]bool{}, ""
	start := time.UnixMilli(1)
	for n := range 600 {
		st := ok
		if n%3 == 0 {
			st = critical
		}
		s.Reset(start)
		i.add(s, "a", verdict{st, strings.Repeat("x", n)}, start.Add(time.Duration(n)*time.Minute/10))
		for _, series := range s.Series() {
			label := series.Get("text")
			switch v := series.Samples[0].Value; {
			case v == 1:
				live = label
				texts[label] = true
			case math.Float64bits(v) != 0x7ff0000000000002 || label != live:
				t.Fatalf("run %d: %q = %v while %q is the text", n, label, v, live)
			}
			if len(label) > maxText || label == "" {
				t.Fatalf("text of %d bytes", len(label))
			}
		}
	}
	if len(texts) > 4 {
		t.Errorf("%d texts in an hour", len(texts))
	}
	if got, want := clean("a\x00\n\tb\xff é", ok), "a b\uFFFD é"; got != want {
		t.Errorf("clean gives %q, want %q", got, want)
	}
}

// TestSlots: no more checks at a time than there are slots.
func TestSlots(t *testing.T) {
	slots := NewSlots(1)
	spec := parse(t, "{name: a, exec: {command: [/bin/sleep, '0.2']}}")
	done := make(chan time.Time, 2)
	for range 2 {
		c, err := New(spec, Env{Slots: slots})
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			s := probe.NewSink(nil)
			s.Reset(time.UnixMilli(1))
			if err := c.Collect(t.Context(), s); err != nil {
				t.Error(err)
			}
			done <- time.Now()
		}()
	}
	if apart := (<-done).Sub(<-done).Abs(); apart < 150*time.Millisecond {
		t.Errorf("two checks ended %v apart on one slot", apart)
	}
}
