package pipeline

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"thump/internal/bus"
	"thump/internal/telemetry"
)

// hook is a webhook receiver; it keeps what it was told.
type hook struct {
	server *httptest.Server
	told   chan notification
}

// notification is the part of Alertmanager's webhook format that is looked at.
type notification struct {
	Status string
	Alerts []struct {
		Status      string
		Labels      map[string]string
		Annotations map[string]string
	}
}

func newHook(t *testing.T) *hook {
	h := &hook{told: make(chan notification, 100)}
	h.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var n notification
		if err := json.NewDecoder(r.Body).Decode(&n); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		h.told <- n
	}))
	t.Cleanup(h.server.Close)
	return h
}

// expect waits for the next notification, which must have this status.
func (h *hook) expect(t *testing.T, status string) notification {
	t.Helper()
	return h.expectWithin(t, status, 20*time.Second)
}

// silent checks that nothing is told for some time.
func (h *hook) silent(t *testing.T, wait time.Duration) {
	t.Helper()
	select {
	case n := <-h.told:
		t.Errorf("told once more: %+v", n)
	case <-time.After(wait):
	}
}

func (h *hook) expectWithin(t *testing.T, status string, limit time.Duration) notification {
	t.Helper()
	select {
	case n := <-h.told:
		if n.Status != status {
			t.Fatalf("told %s, want %s: %+v", n.Status, status, n)
		}
		return n
	case <-time.After(limit):
		t.Fatalf("not told %s within %v", status, limit)
	}
	return notification{}
}

const orderRules = `groups:
- name: orders
  rules:
  - alert: TooManyOrders
    expr: orders_open > 100
    labels: {severity: page}
    annotations: {summary: "shop {{ $labels.shop }} has {{ $value }} open orders"}
`

const hookOnly = `route:
  receiver: hook
  group_by: [alertname, shop]
  group_wait: 0s
  group_interval: 1s
receivers:
- name: hook
  webhook_configs:
  - url: %s
`

// TestRuleFiresAndResolves publishes a metric that crosses a threshold and falls
// back: a webhook learns both, also through a SIGKILL in between, and once each.
func TestRuleFiresAndResolves(t *testing.T) { onEach(t, ruleFiresAndResolves) }

func ruleFiresAndResolves(t *testing.T, url string) {
	h, dir := newHook(t), t.TempDir()
	rules, config := filepath.Join(dir, "orders.yml"), filepath.Join(dir, "alertmanager.yml")
	write(t, rules, orderRules)
	write(t, config, fmt.Sprintf(hookOnly, h.server.URL))
	p := upOn(t, url, filepath.Join(dir, "data"), "--rules", rules, "--alertmanager-config", config)
	b := connect(t, p.busURL())

	orders(t, b, 7)
	crossed := time.Now()
	orders(t, b, 101)
	n := h.expect(t, "firing")
	t.Logf("threshold crossed -> webhook received: %v", time.Since(crossed).Round(time.Millisecond))
	if got := n.Alerts[0]; got.Labels["alertname"] != "TooManyOrders" || got.Annotations["summary"] != "shop 7 has 101 open orders" {
		t.Errorf("told %+v", got)
	}
	// The receiver's answer, then the notification log, then the disk: a kill
	// before that tells a second time rather than not at all.
	eventually(t, 10*time.Second, "the notification is on disk", func() error {
		i, err := os.Stat(filepath.Join(p.data, "alerting", "nflog"))
		if err == nil && i.Size() == 0 {
			err = errors.New("still empty")
		}
		return err
	})
	p.kill()
	p.start(t)
	eventually(t, 10*time.Second, "the alert is still firing", func() error { return firing(t, p, "TooManyOrders") })
	orders(t, b, 3)
	h.expect(t, "resolved")
	select {
	case n := <-h.told:
		t.Errorf("told once more: %+v", n)
	case <-time.After(3 * time.Second):
	}
	p.stop()
}

func firing(t *testing.T, p *pipeline, alertname string) error {
	res, err := http.Get(p.url() + "/api/v2/alerts?filter=alertname%3D" + alertname)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var alerts []struct{ Labels map[string]string }
	if err := json.NewDecoder(res.Body).Decode(&alerts); err != nil {
		return err
	}
	if len(alerts) != 1 {
		return fmt.Errorf("%d alerts", len(alerts))
	}
	return nil
}

// orders publishes the metric as a script would, until it is confirmed.
func orders(t *testing.T, b bus.Bus, open float64) {
	t.Helper()
	eventually(t, 15*time.Second, "publish", func() error {
		return b.Publish(t.Context(), telemetry.MetricsExchange, &bus.Message{
			Key: "shop.till7.orders", ContentType: telemetry.JSONContentType,
			Body: fmt.Appendf(nil, `{"name":"orders_open","labels":{"shop":"7"},"value":%v,"timestamp":%d}`, open, time.Now().UnixMilli()),
		})
	})
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
