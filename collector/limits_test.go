package collector_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"thump/collector"
	"thump/internal/bus"
	"thump/internal/telemetry"
)

// of is a batch of a host with some series, each with a sample for every time.
func of(host string, seq int, at []time.Time, names ...string) *bus.Message {
	b := telemetry.Batch{Host: host, Group: "web", Probe: "test", Interval: 15 * time.Second, Boot: "b", Seq: uint64(seq), Time: now}
	for _, name := range names {
		s := telemetry.Series{Labels: []telemetry.Label{{Name: "__name__", Value: name}, {Name: "instance", Value: host}}}
		for _, t := range at {
			s.Samples = append(s.Samples, telemetry.Sample{Time: t.UnixMilli(), Value: 1})
		}
		b.Series = append(b.Series, s)
	}
	return (&telemetry.Encoder{}).Encode(&b)
}

// TestLimits: what passes a limit of one host is refused and goes to the queue of
// rejected messages, whatever fits is kept, other hosts notice nothing, and
// history and inventory tell of it.
func TestLimits(t *testing.T) {
	m := newMemoryBus()
	cfg := collector.DefaultConfig()
	cfg.DataDir, cfg.MinFree = t.TempDir(), 0
	cfg.Limits = collector.Limits{Series: 3, Labels: 5, LabelLength: 50, SamplesPerSecond: 2}
	c, err := collector.New(cfg, collector.Deps{Bus: m, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Registerer: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	run(t, c)
	ago := func(n int) (all []time.Time) {
		for ; n > 0; n-- {
			all = append(all, now.Add(-time.Duration(n)*time.Second))
		}
		return all
	}
	long := of("long", 1, ago(1), strings.Repeat("x", 60), "short")
	wide := of("wide", 1, ago(1), "w")
	wide.ContentType, wide.ContentEncoding = telemetry.JSONContentType, ""
	wide.Body = []byte(`[{"name":"w","labels":{"a":"1","b":"2","c":"3","d":"4","instance":"wide"},"value":1},{"name":"w","labels":{"instance":"wide"},"value":1}]`)
	m.publishAll([]*bus.Message{
		of("many", 1, ago(1), "a", "b", "c", "d", "e"), // two too many
		of("many", 2, ago(1)[:1], "c", "f"),            // c is known, f one too many
		of("fast", 1, ago(15), "a"),                    // fits in the burst of 20
		of("fast", 2, ago(15), "b"),                    // does not
		long, wide,
		of("calm", 1, ago(2), "a", "b", "c"),
	})
	until(t, func() bool { acked, rejected, _ := m.counts(); return acked >= 2 && rejected == 5 })
	for query, want := range map[string]string{
		`count({instance="many",__name__!~"thump.*"})`:       "3",
		`count_over_time(a{instance="fast"}[1h])`:            "15",
		`count({instance="fast",__name__="b"}) or vector(0)`: "0",
		`count({instance="long",__name__!~"thump.*"})`:       "1",
		`count({instance="wide",__name__!~"thump.*"})`:       "1",
		`count({instance="calm"})`:                           "3",
	} {
		expect(t, c, query, want)
	}
	for host, want := range map[string]string{"many": "host_series 3", "fast": "host_rate 15", "long": "label_length 1", "wide": "labels 1"} {
		reason, n, _ := strings.Cut(want, " ")
		until(t, func() bool {
			return value(t, c, fmt.Sprintf(`thump_host_refused_samples_total{instance=%q,group="web",job="node",reason=%q}`, host, reason)) == n
		})
	}
	var hosts []struct {
		Name    string
		Refused *struct {
			Samples map[string]int
			Last    time.Time
		}
	}
	call(t, c, http.MethodGet, "/api/hosts", &hosts)
	if len(hosts) != 5 {
		t.Fatalf("hosts %+v, want all five: who is refused something is not silent", hosts)
	}
	for _, h := range hosts {
		switch {
		case h.Name == "calm" && h.Refused != nil:
			t.Errorf("calm: refused %+v", h.Refused)
		case h.Name == "many" && (h.Refused == nil || h.Refused.Samples["host_series"] != 3 || time.Since(h.Refused.Last) > time.Minute):
			t.Errorf("many: refused %+v", h.Refused)
		}
	}
}
