package alerting_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"thump/internal/control"
	"thump/internal/telemetry"
)

// shipped sets up the rules and the routes that ship, which tell hook. What takes
// minutes there takes seconds here.
func shipped(t *testing.T, b *memory, hook *webhook) *setup {
	t.Helper()
	rules, err := os.ReadFile("../configs/rules/hosts.yml")
	if err != nil {
		t.Fatal(err)
	}
	am, err := os.ReadFile("../configs/alertmanager.yml")
	if err != nil {
		t.Fatal(err)
	}
	fast := strings.NewReplacer("keep_firing_for: 1m", "keep_firing_for: 3s", "for: 15s", "for: 1s")
	tells := strings.NewReplacer("  - name: default\n", fmt.Sprintf("  - name: default\n    webhook_configs: [{url: %q}]\n", hook.URL),
		"group_interval: 10s", "group_interval: 1s")
	return newSetup(t, b, fast.Replace(string(rules)), tells.Replace(string(am)))
}

// TestFlood cuts a thousand hosts off at once: one notification, and one resolve.
func TestFlood(t *testing.T) {
	t.Parallel()
	if os.Getenv("THUMP_LONG_TESTS") == "" {
		t.Skip("takes half a minute: set THUMP_LONG_TESTS=1")
	}
	b, hook := newMemory(), newWebhook(t)
	p := shipped(t, b, hook).start(t)
	agents := make([]*agent, 1000)
	for i := range agents {
		agents[i] = newAgent(t, b, fmt.Sprintf("h%04d", i), 3*time.Second)
	}
	report := func(rounds int) {
		for range rounds {
			for i, a := range agents {
				a.publish("agent", "up", 1)
				if i%50 == 0 { // spread over the interval, as in life
					time.Sleep(120 * time.Millisecond)
				}
			}
		}
	}
	report(2)
	h := hook.next(t, 3*patience, "firing", "ManyHostsSilent", "")
	eventually(t, "all are silent", func() bool { return p.counter(t, "thump_alerting_silent_hosts") == 1000 })
	hook.quiet(t, 4*time.Second)
	states := p.states(t)
	if len(states) != 1001 {
		t.Errorf("%d alerts, want one of each host, held back, and the one that is told", len(states))
	}
	_ = h
	report(3)
	hook.next(t, 3*patience, "resolved", "ManyHostsSilent", "")
	hook.quiet(t, 2*time.Second)
}

// TestSite: three hosts of one site are one trouble, and a host elsewhere another.
func TestSite(t *testing.T) {
	t.Parallel()
	b, hook := newMemory(), newWebhook(t)
	shipped(t, b, hook).start(t)
	var agents []*agent
	for i := range 4 {
		a := newAgent(t, b, fmt.Sprintf("n%d", i), time.Second)
		a.extra = []telemetry.Label{{Name: "site", Value: "north"}}
		if i == 3 {
			a.extra = []telemetry.Label{{Name: "site", Value: "south"}}
		}
		agents = append(agents, a)
	}
	for range 2 {
		for _, a := range agents {
			a.publish("agent", "up", 1)
		}
		time.Sleep(time.Second)
	}
	got := map[string]int{}
	for range 2 {
		select {
		case h := <-hook.hits:
			got[h.Labels["alertname"]+h.Labels["site"]+h.Labels["instance"]]++
		case <-time.After(2 * patience):
		}
	}
	if got["SiteSilentnorth"] != 1 || got["HostSilentsouthn3"] != 1 {
		t.Errorf("told %v, want SiteSilent of north and HostSilent of n3", got)
	}
	hook.quiet(t, time.Second)
}

// TestRetired: a host that is retired fires nothing, and what fires of it ends.
func TestRetired(t *testing.T) {
	t.Parallel()
	b, hook := newMemory(), newWebhook(t)
	s := newSetup(t, b, busyRule, routes(hook.URL))
	s.cfg.Rules = append(s.cfg.Rules, "../configs/rules/hosts.yml")
	p := s.start(t)
	retire := func(host string) {
		t.Helper()
		m, err := control.EncodeRetired(&control.Retired{Host: host, At: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Publish(t.Context(), telemetry.ControlExchange, m); err != nil {
			t.Fatal(err)
		}
	}
	gone, planned := newAgent(t, b, "gone", time.Second), newAgent(t, b, "planned", time.Second)
	gone.publish("agent", "up", 1)
	planned.publish("agent", "up", 1)
	retire("planned")
	hook.next(t, patience, "firing", "HostSilent", "gone")
	hook.quiet(t, time.Second)
	retire("gone")
	hook.next(t, patience, "resolved", "HostSilent", "gone")
	eventually(t, "no host is silent", func() bool { return p.counter(t, "thump_alerting_silent_hosts") == 0 })
}

// TestUnknown: of a host that falls silent, a pending alert does not fire and one
// that fires does not end; both go on when it is back.
func TestUnknown(t *testing.T) {
	t.Parallel()
	b, hook := newMemory(), newWebhook(t)
	rules := strings.Replace(strings.Replace(busyRule, "interval: 1m", "interval: 200ms", 1), "expr: busy > 90", "expr: busy > 90\n        for: 8s", 1)
	s := newSetup(t, b, rules, routes(hook.URL))
	s.cfg.Rules = append(s.cfg.Rules, "../configs/rules/hosts.yml")
	p := s.start(t)
	a := newAgent(t, b, "web01", time.Second)
	a.publish("agent", "up", 1)
	a.publish("cpu", "busy", 97)
	hook.next(t, patience, "firing", "HostSilent", "web01") // 6 to 7 s later
	hook.quiet(t, 3*time.Second)
	if got := p.alert(t, "Busy", "web01"); got.State != "unknown" {
		t.Errorf("state %q of a pending alert of a silent host, want unknown", got.State)
	}
	back := time.Now()
	a.publish("agent", "up", 1)
	a.publish("cpu", "busy", 98)
	hook.next(t, patience, "resolved", "HostSilent", "web01")
	a.interval = time.Minute
	a.publish("agent", "up", 1)
	a.publish("cpu", "busy", 98)
	hook.next(t, patience, "firing", "Busy", "web01")
	if took := time.Since(back); took < 500*time.Millisecond {
		t.Errorf("fired %s after it was back: its for went on meanwhile", took)
	}
}
