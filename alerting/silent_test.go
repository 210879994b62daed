package alerting_test

import (
	"testing"
	"time"

	"thump/internal/bus"
	"thump/internal/telemetry"
)

func TestSilentHost(t *testing.T) {
	t.Parallel()
	b, hook := newMemory(), newWebhook(t)
	s := newSetup(t, b, busyRule, routes(hook.URL))
	s.cfg.Rules = append(s.cfg.Rules, "../configs/rules/hosts.yml")
	p := s.start(t)
	// A script's metric about a host is not a sign of life of that host.
	busy := func(v string) {
		t.Helper()
		m := bus.Message{ContentType: telemetry.JSONContentType, Body: []byte(`{"name":"busy","labels":{"instance":"web01"},"value":` + v + `}`)}
		if err := b.Publish(t.Context(), telemetry.MetricsExchange, &m); err != nil {
			t.Fatal(err)
		}
	}
	a := newAgent(t, b, "web01", time.Second)
	a.extra = []telemetry.Label{{Name: "site", Value: "north"}}
	var last time.Time
	for range 3 {
		last = time.Now()
		a.publish("agent", "up", 1)
		time.Sleep(time.Second)
	}
	h := hook.next(t, patience, "firing", "HostSilent", "web01")
	if h.Labels["site"] != "north" {
		t.Errorf("labels %v, want the host's own", h.Labels)
	}
	took := h.at.Sub(last)
	if took < 6*time.Second || took > 7500*time.Millisecond {
		t.Errorf("host with an interval of 1s fired after %s of silence, want 6s to 7s", took)
	}
	t.Logf("a host with an interval of 1s fired %s after its last message", took)
	busy("97") // held back: a silent host has one trouble
	hook.quiet(t, 2*time.Second)
	eventually(t, "one silent host is counted", func() bool { return p.counter(t, "thump_alerting_silent_hosts") == 1 })

	// Known after a restart, still silent, not told again.
	p.stop()
	p = s.start(t)
	eventually(t, "both fire again", func() bool { return p.counter(t, "thump_alerting_alerts", "state=firing") == 2 })
	hook.quiet(t, time.Second)
	a.publish("cpu", "node_load1", 1) // any message will do
	got := map[string]string{}        // in either order
	for range 2 {
		select {
		case h := <-hook.hits:
			got[h.Labels["alertname"]] = h.Status
		case <-time.After(patience):
		}
	}
	if got["HostSilent"] != "resolved" || got["Busy"] != "firing" {
		t.Fatalf("the host is back: webhook got %v, want HostSilent resolved, and Busy, no longer held back", got)
	}
	busy("5")
	hook.next(t, patience, "resolved", "Busy", "web01")
}
