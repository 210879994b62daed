package alerting_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"thump/internal/bus"
	"thump/internal/telemetry"
)

const busyRule = `
groups:
  - name: cpu
    interval: 1m
    rules:
      - alert: Busy
        expr: busy > 90
        labels: {severity: page}
        annotations: {summary: "{{ $labels.instance }} at {{ $value }}"}
`

func TestThresholdFiresAndResolves(t *testing.T) {
	t.Parallel()
	b, hook := newMemory(), newWebhook(t)
	p := newSetup(t, b, busyRule, routes(hook.URL)).start(t)
	a := newAgent(t, b, "web01", time.Minute)

	a.publish("cpu", "busy", 50)
	a.publish("cpu", "idle", 50) // no rule reads it
	hook.quiet(t, 200*time.Millisecond)
	a.publish("cpu", "busy", 97)
	hook.next(t, patience, "firing", "Busy", "web01")
	a.publish("cpu", "busy", 20)
	hook.next(t, patience, "resolved", "Busy", "web01")

	eventually(t, "all messages are acknowledged", func() bool { return b.acked.Load() == 4 })
	if got := p.counter(t, "thump_alerting_samples_stored_total"); got != 3 {
		t.Errorf("%v samples stored, want 3", got)
	}
	if got := p.counter(t, "thump_alerting_samples_skipped_total", "reason=unread"); got != 1 {
		t.Errorf("%v samples unread, want 1", got)
	}
	if got := p.counter(t, "thump_alerting_evaluations_total", "cause=arrival"); got < 2 {
		t.Errorf("%v evaluations on arrival, want at least 2", got)
	}
	if got := p.counter(t, "alertmanager_notifications_total", "component=alerting", "integration=webhook"); got != 2 {
		t.Errorf("%v notifications, want 2", got)
	}
}

func TestChangesArePublished(t *testing.T) {
	t.Parallel()
	b, hook := newMemory(), newWebhook(t)
	newSetup(t, b, busyRule, routes(hook.URL)).start(t)
	a := newAgent(t, b, "web01.example", time.Minute)
	for _, v := range []float64{97, 98, 99, 20} { // fires once, not three times
		a.publish("cpu", "busy", v)
		time.Sleep(150 * time.Millisecond)
	}
	eventually(t, "two changes are published", func() bool { return len(b.published()) == 2 })
	for i, status := range []string{"firing", "resolved"} {
		m := b.published()[i]
		var got struct {
			Status, Fingerprint string
			Labels, Annotations map[string]string
			StartsAt, EndsAt    time.Time
			GeneratorURL        string
		}
		if err := json.Unmarshal(m.Body, &got); err != nil {
			t.Fatal(err)
		}
		if m.Key != "page.Busy.web01_example" || m.Type != "alert" || m.ContentType != "application/json" || m.Headers["host"] != "web01.example" {
			t.Errorf("message %d: key %s, type %s, content %s, headers %v", i, m.Key, m.Type, m.ContentType, m.Headers)
		}
		if got.Status != status || got.Labels["alertname"] != "Busy" || got.Annotations["summary"] == "" || got.Fingerprint == "" ||
			got.StartsAt.IsZero() || !strings.Contains(got.GeneratorURL, "busy") {
			t.Errorf("message %d: %s", i, m.Body)
		}
		if ended := got.EndsAt.Before(time.Now()); ended != (status == "resolved") {
			t.Errorf("%s alert ends at %s", status, got.EndsAt)
		}
	}
}

func TestChangesWaitForTheBroker(t *testing.T) {
	t.Parallel()
	b, hook := newMemory(), newWebhook(t)
	p := newSetup(t, b, busyRule, routes(hook.URL)).start(t)
	b.refuses.Store(true)
	newAgent(t, b, "web01", time.Minute).publish("cpu", "busy", 97)
	hook.next(t, patience, "firing", "Busy", "web01") // people are told all the same
	b.refuses.Store(false)
	eventually(t, "the change is published", func() bool { return len(b.published()) == 1 })
	b.refuses.Store(true)
	newAgent(t, b, "web02", time.Minute).publish("cpu", "busy", 97)
	hook.next(t, patience, "firing", "Busy", "web02")
	p.stop() // ends although a change waits
}

func TestForEndsOnTime(t *testing.T) {
	t.Parallel()
	b, hook := newMemory(), newWebhook(t)
	p := newSetup(t, b, strings.Replace(busyRule, "expr: busy > 90", "expr: busy > 90\n        for: 2s", 1), routes(hook.URL)).start(t)
	from := time.Now()
	newAgent(t, b, "web01", time.Minute).publish("cpu", "busy", 97)
	eventually(t, "the alert is pending", func() bool { return p.states(t)["web01"] == "pending" })
	h := hook.next(t, patience, "firing", "Busy", "web01")
	// The group's interval is a minute, and nothing arrives any more.
	if took := h.at.Sub(from); took < 2*time.Second || took > 4*time.Second {
		t.Errorf("for: 2s fired after %s", took)
	}
	if got := p.counter(t, "thump_alerting_evaluations_total", "cause=hold"); got != 1 {
		t.Errorf("%v evaluations since a for ended, want 1", got)
	}
}

func TestLatency(t *testing.T) {
	t.Parallel()
	b, hook := newMemory(), newWebhook(t)
	newSetup(t, b, busyRule, routes(hook.URL)).start(t)
	// Each a bit later after the last evaluation than the one before.
	measureLatency(t, b, hook, func(i int) time.Duration { return time.Duration(37*i%100) * time.Millisecond })
}

// measureLatency prints how long it takes from published to webhook, for 50
// hosts that cross the threshold one after the other, with a pause between.
func measureLatency(t *testing.T, b bus.Bus, hook *webhook, pause func(int) time.Duration) {
	t.Helper()
	var took []time.Duration
	for i := range 50 {
		host := fmt.Sprintf("h%02d", i)
		from := time.Now()
		newAgent(t, b, host, time.Minute).publish("cpu", "busy", 97)
		h := hook.next(t, 5*time.Second, "firing", "Busy", host)
		took = append(took, h.at.Sub(from))
		time.Sleep(pause(i))
	}
	slices.Sort(took)
	t.Logf("published to webhook, 50 alerts: median %s, p90 %s, max %s", took[25], took[45], took[49])
}

func TestUndecodableIsRejected(t *testing.T) {
	t.Parallel()
	b, hook := newMemory(), newWebhook(t)
	p := newSetup(t, b, busyRule, routes(hook.URL)).start(t)
	bad := []bus.Message{
		{ContentType: telemetry.RemoteWriteContentType, ContentEncoding: "snappy", Body: []byte("nonsense")},
		{ContentType: telemetry.JSONContentType, Body: []byte(`{"value": 1}`)},
		{ContentType: "image/png", Body: []byte("x")},
	}
	for i := range bad {
		if err := b.Publish(t.Context(), telemetry.MetricsExchange, &bad[i]); err != nil {
			t.Fatal(err)
		}
	}
	good := bus.Message{ContentType: telemetry.JSONContentType, Body: []byte(`{"name":"busy","labels":{"instance":"script"},"value":95}`)}
	if err := b.Publish(t.Context(), telemetry.MetricsExchange, &good); err != nil {
		t.Fatal(err)
	}
	hook.next(t, patience, "firing", "Busy", "script")
	eventually(t, "three are rejected and one acknowledged", func() bool {
		return b.rejected.Load() == 3 && b.acked.Load() == 4 &&
			p.counter(t, "thump_alerting_messages_total", "outcome=rejected") == 3 &&
			p.counter(t, "thump_alerting_messages_total", "outcome=acknowledged") == 1
	})
}

func TestClockAhead(t *testing.T) {
	t.Parallel()
	b, hook := newMemory(), newWebhook(t)
	p := newSetup(t, b, busyRule, routes(hook.URL)).start(t)
	a := newAgent(t, b, "fast", time.Minute)
	a.skew = 24 * time.Hour
	a.publish("cpu", "busy", 97)
	hook.next(t, patience, "firing", "Busy", "fast")
	a.publish("cpu", "busy", 10)
	hook.next(t, patience, "resolved", "Busy", "fast")
	newAgent(t, b, "right", time.Minute).publish("cpu", "busy", 97) // not too old now
	hook.next(t, patience, "firing", "Busy", "right")
	if got := p.counter(t, "thump_alerting_samples_ahead_total"); got != 2 {
		t.Errorf("%v samples from the future, want 2", got)
	}
}

func TestRulesAPI(t *testing.T) {
	t.Parallel()
	b := newMemory()
	p := newSetup(t, b, "", "").start(t) // what ships
	var got struct {
		Status string
		Data   struct {
			Groups []struct {
				Name, File string
				Interval   float64
				Rules      []struct{ Type, Name, State, Health string }
			}
		}
	}
	eventually(t, "all groups are evaluated", func() bool {
		got.Data.Groups = nil
		if code := p.get(t, "/api/v1/rules", &got); code != http.StatusOK || got.Status != "success" {
			t.Fatalf("rules: %d %s", code, got.Status)
		}
		for _, g := range got.Data.Groups {
			for _, r := range g.Rules {
				if r.Health != "ok" || r.State != "inactive" || r.Type != "alerting" {
					return false
				}
			}
		}
		return len(got.Data.Groups) > 0
	})
	if g := got.Data.Groups[0]; g.File != "rules/hosts.yml" || g.Interval != 15 {
		t.Errorf("group %s of %s with interval %v, want rules/hosts.yml and 15", g.Name, g.File, g.Interval)
	}
	got.Data.Groups = nil
	p.get(t, "/api/v1/rules?rule_name[]=HostSilent", &got)
	if len(got.Data.Groups) != 1 || len(got.Data.Groups[0].Rules) != 1 || got.Data.Groups[0].Rules[0].Name != "HostSilent" {
		t.Errorf("asked for HostSilent, got %v", got.Data.Groups)
	}
	got.Data.Groups = nil
	p.get(t, "/api/v1/rules?type=record", &got)
	if len(got.Data.Groups) != 0 {
		t.Errorf("asked for recording rules, got %v", got.Data.Groups)
	}
	if code := p.get(t, "/api/v1/rules?type=x", &got); code != http.StatusBadRequest || got.Status != "error" {
		t.Errorf("asked for nonsense: %d %s", code, got.Status)
	}
}
