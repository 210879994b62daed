package alerting_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"thump/alerting"
	"thump/internal/bus"
	"thump/internal/telemetry"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// They wait far more than they compute.
	if err := flag.Set("test.parallel", "12"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

// webhook is a receiver of notifications.
type webhook struct {
	*httptest.Server
	hits chan hit
}

// hit is one alert in one notification.
type hit struct {
	Status   string
	Labels   map[string]string
	StartsAt time.Time
	at       time.Time
}

func newWebhook(t *testing.T) *webhook {
	w := &webhook{hits: make(chan hit, 10_000)}
	w.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var m struct{ Alerts []hit }
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
			t.Errorf("webhook: %v", err)
		}
		for _, h := range m.Alerts {
			h.at = time.Now()
			w.hits <- h
		}
	}))
	t.Cleanup(w.Close)
	return w
}

// next waits for an alert and checks what is said of it.
func (w *webhook) next(t *testing.T, wait time.Duration, status, alertname, instance string) hit {
	t.Helper()
	select {
	case h := <-w.hits:
		if h.Status != status || h.Labels["alertname"] != alertname || h.Labels["instance"] != instance {
			t.Fatalf("webhook got %s %v, want %s %s of %s", h.Status, h.Labels, status, alertname, instance)
		}
		return h
	case <-time.After(wait):
		t.Fatalf("webhook got nothing within %s, want %s %s of %s", wait, status, alertname, instance)
	}
	return hit{}
}

// quiet checks that nothing is said for some time.
func (w *webhook) quiet(t *testing.T, wait time.Duration) {
	t.Helper()
	select {
	case h := <-w.hits:
		t.Fatalf("webhook got %s %v, want nothing", h.Status, h.Labels)
	case <-time.After(wait):
	}
}

// routes tells hook everything at once.
func routes(hook string) string {
	return fmt.Sprintf(`
route: {receiver: hook, group_by: [alertname, instance], group_wait: 0s, group_interval: 100ms, repeat_interval: 1h}
inhibit_rules:
  - {source_matchers: ['alertname="HostSilent"'], target_matchers: ['alertname!="HostSilent"'], equal: [instance]}
receivers:
  - name: hook
    webhook_configs: [{url: %q}]
`, hook)
}

// setup is what one alerting after another in the same folder has.
type setup struct {
	dir   string
	cfg   alerting.Config
	bus   bus.Bus
	log   *slog.Logger
	rules string // path of the rule file
	am    string // path of the alertmanager.yml
}

func newSetup(t *testing.T, b bus.Bus, rules, alertmanager string) *setup {
	t.Helper()
	dir := t.TempDir()
	s := &setup{dir: dir, bus: b, log: logger(t), rules: filepath.Join(dir, "rules.yml"), am: filepath.Join(dir, "alertmanager.yml")}
	s.cfg = alerting.DefaultConfig()
	s.cfg.DataDir = filepath.Join(dir, "data")
	if rules != "" {
		s.cfg.Rules = []string{s.rules}
		write(t, s.rules, rules)
	}
	if alertmanager != "" {
		s.cfg.AlertmanagerConfig = s.am
		write(t, s.am, alertmanager)
	}
	return s
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func logger(t *testing.T) *slog.Logger {
	if !testing.Verbose() {
		return slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// process is one alerting that runs.
type process struct {
	*alerting.Alerting
	URL      string
	registry *prometheus.Registry
	stop     func()
}

// start runs alerting until the test ends, or stop is called.
func (s *setup) start(t *testing.T) *process {
	t.Helper()
	p := &process{registry: prometheus.NewRegistry()}
	a, err := alerting.New(s.cfg, alerting.Deps{Bus: s.bus, Logger: s.log, Registerer: p.registry})
	if err != nil {
		t.Fatal(err)
	}
	p.Alerting = a
	server := httptest.NewServer(a.Handler())
	p.URL = server.URL
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	p.stop = sync.OnceFunc(func() {
		server.Close()
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			stacks := make([]byte, 1<<20)
			t.Errorf("Run does not end\n%s", stacks[:runtime.Stack(stacks, true)])
		}
	})
	t.Cleanup(p.stop)
	eventually(t, "the API answers", func() bool {
		r, err := http.Get(p.URL + "/api/v2/status")
		if err != nil {
			return false
		}
		defer r.Body.Close()
		return r.StatusCode == http.StatusOK
	})
	return p
}

// get reads JSON from the API.
func (p *process) get(t *testing.T, path string, into any) int {
	t.Helper()
	r, err := http.Get(p.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if err := json.NewDecoder(r.Body).Decode(into); err != nil {
		t.Fatalf("GET %s: %v", path, err)
	}
	return r.StatusCode
}

// states returns the states of the active alerts by instance.
func (p *process) states(t *testing.T) map[string]string {
	t.Helper()
	var got struct {
		Data struct {
			Alerts []struct {
				State  string
				Labels map[string]string
			}
		}
	}
	p.get(t, "/api/v1/alerts", &got)
	all := map[string]string{}
	for _, a := range got.Data.Alerts {
		all[a.Labels["instance"]] = a.State
	}
	return all
}

// counter sums a metric over the label sets that contain want, given as name=value.
func (p *process) counter(t *testing.T, name string, want ...string) float64 {
	t.Helper()
	families, err := p.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.Metric {
			have := ""
			for _, l := range m.Label {
				have += l.GetName() + "=" + l.GetValue() + ","
			}
			if all(want, func(w string) bool { return strings.Contains(have, w+",") }) {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

func all(list []string, is func(string) bool) bool {
	for _, s := range list {
		if !is(s) {
			return false
		}
	}
	return true
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if is() {
			return
		}
	}
	t.Fatalf("not within %s: %s", patience, what)
}

// agent publishes for one host.
type agent struct {
	t        *testing.T
	bus      bus.Bus
	host     string
	interval time.Duration
	skew     time.Duration // of its clock
	extra    []telemetry.Label
	enc      telemetry.Encoder
	seq      uint64
}

func newAgent(t *testing.T, b bus.Bus, host string, interval time.Duration) *agent {
	return &agent{t: t, bus: b, host: host, interval: interval}
}

// publish sends one value of one metric now.
func (a *agent) publish(probe, metric string, v float64) {
	a.t.Helper()
	a.seq++
	now := time.Now().Add(a.skew)
	m := a.enc.Encode(&telemetry.Batch{
		Host: a.host, Group: "g", Probe: probe, Interval: a.interval, Boot: a.host, Seq: a.seq, Time: now,
		Series: []telemetry.Series{{
			Labels: append([]telemetry.Label{
				{Name: "__name__", Value: metric}, {Name: "group", Value: "g"}, {Name: "instance", Value: a.host}, {Name: "job", Value: "node"},
			}, a.extra...),
			Samples: []telemetry.Sample{{Time: now.UnixMilli(), Value: v}},
		}},
	})
	if err := a.bus.Publish(a.t.Context(), telemetry.MetricsExchange, m); err != nil {
		a.t.Error(err)
	}
}
