package collector_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"thump/agent"
	"thump/collector"
	"thump/internal/bus"
	"thump/internal/config"
	"thump/internal/control"
	"thump/internal/telemetry"
)

// steered runs a collector with a folder of templates.
func steered(t *testing.T, b bus.Bus, data, templates string) (c *collector.Collector, stop func()) {
	t.Helper()
	cfg := collector.DefaultConfig()
	cfg.DataDir, cfg.Templates, cfg.MinFree, cfg.Receive.Fleets = data, templates, 0, false
	c, err := collector.New(cfg, collector.Deps{
		Bus: b, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Registerer: prometheus.NewRegistry(), CheckTemplate: agent.CheckTemplate,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c, run(t, c)
}

// background runs something until it is stopped, or the test ends.
func background(t *testing.T, run func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func startAgent(t *testing.T, b bus.Bus, dir string) (stop func()) {
	t.Helper()
	cfg := agent.DefaultConfig()
	cfg.Host, cfg.Group, cfg.DataDir = "web.01", "web", dir
	a, err := agent.New(cfg, agent.Deps{
		Bus: b, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Registerer: prometheus.NewRegistry(), Version: "1.2.3",
	})
	if err != nil {
		t.Fatal(err)
	}
	return background(t, a.Run)
}

func writeTemplate(t *testing.T, dir, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "web.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// call asks the collector over HTTP.
func call(t *testing.T, c *collector.Collector, method, path string, into any) int {
	t.Helper()
	w := httptest.NewRecorder()
	c.Handler().ServeHTTP(w, httptest.NewRequest(method, path, nil))
	if into != nil {
		if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
			t.Fatalf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	return w.Code
}

// fleetHost is a host as /api/hosts shows it.
type fleetHost struct {
	Name  string
	Agent *struct {
		Groups   []string
		Version  string
		Template struct {
			Revision, Wanted string
			Refused          []control.Refusal
		}
	}
}

// shownHost waits until a host is as the test wants it.
func shownHost(t *testing.T, c *collector.Collector, want func(*fleetHost) bool) {
	t.Helper()
	until(t, func() bool {
		var all []fleetHost
		call(t, c, http.MethodGet, "/api/hosts", &all)
		return len(all) == 1 && all[0].Agent != nil && want(&all[0])
	})
}

// intervals are those that the batches of a probe have said, as they pass.
func intervals(t *testing.T, b bus.Bus, host, probe string) func() string {
	t.Helper()
	passing, err := b.Subscribe(t.Context(), telemetry.Live())
	if err != nil {
		t.Fatal(err)
	}
	var last atomic.Pointer[string]
	go func() {
		for d := range passing {
			if o := telemetry.OriginOf(&d.Message); o.Host == host && o.Probe == probe {
				s := o.Interval.String()
				last.Store(&s)
			}
			_ = d.Ack(false)
		}
	}()
	return func() string {
		if s := last.Load(); s != nil {
			return *s
		}
		return ""
	}
}

// TestTemplates takes a real agent through the real broker from one template to
// the next, a broken one, and starts of its own while the server is away.
func TestTemplates(t *testing.T) {
	addr, _ := startBroker(t, t.TempDir(), "127.0.0.1:0")
	files, data, home := t.TempDir(), t.TempDir(), t.TempDir()
	writeTemplate(t, files, "match: {groups: [web]}\nprobes: [{name: load, interval: 7s}]\n")
	c, stopCollector := steered(t, openBus(t, addr, "collector"), data, files)
	load := intervals(t, openBus(t, addr, "tap"), "web.01", "load")
	stopAgent := startAgent(t, openBus(t, addr, "agent"), home)
	until(t, func() bool { return load() == "7s" })
	shownHost(t, c, func(h *fleetHost) bool {
		return h.Agent.Version == "1.2.3" && h.Agent.Groups[0] == "web" && h.Agent.Template.Revision == h.Agent.Template.Wanted
	})

	writeTemplate(t, files, "match: {groups: [web]}\nprobes: [{name: load, interval: 8s}]\nchecks: [{name: x, exec: {command: [/bin/x]}}]\n")
	if err := c.Reload(); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return load() == "8s" })
	shownHost(t, c, func(h *fleetHost) bool {
		r := h.Agent.Template.Refused
		return len(r) == 1 && r[0].Name == "check x" && strings.Contains(r[0].Reason, "agent.exec")
	})
	until(t, func() bool { return value(t, c, `count(thump_agent_template_refused{name="check x"})`) == "1" })

	writeTemplate(t, files, "match: {groups: [web]}\nprobes: [{name: laod, interval: 9s}]\n")
	if err := c.Reload(); err == nil || !strings.Contains(err.Error(), "web.yaml:2: probe laod") {
		t.Errorf("a bad file: %v", err)
	}
	var listed struct {
		Problems []struct{ File, Reason string }
	}
	if call(t, c, http.MethodGet, "/api/templates", &listed); len(listed.Problems) != 1 || listed.Problems[0].File != "web.yaml" {
		t.Errorf("problems %+v", listed)
	}
	var effective struct {
		Body    string
		Entries []struct {
			Name, File string
			Line       int
		}
	}
	call(t, c, http.MethodGet, "/api/hosts/web.01/template", &effective)
	if !strings.Contains(effective.Body, "{name: load, interval: 8s}") || effective.Entries[3].File != "web.yaml" || effective.Entries[3].Line != 2 {
		t.Errorf("the good template does not hold: %+v", effective)
	}

	stopAgent()
	stopCollector()
	again := intervals(t, openBus(t, addr, "tap2"), "web.01", "load")
	startAgent(t, openBus(t, addr, "agent2"), home)
	until(t, func() bool { return again() == "8s" })
}

// TestTemplateReachesMany: 200 agents have a change of a file at once, in less than
// a second where the machine is not busy. A broken file reaches none of them.
func TestTemplateReachesMany(t *testing.T) {
	const agents = 200
	addr, _ := startBroker(t, t.TempDir(), "127.0.0.1:0")
	files := t.TempDir()
	writeTemplate(t, files, "probes: [{name: load, interval: 7s}]\n")
	c, _ := steered(t, openBus(t, addr, "collector"), t.TempDir(), files)
	links := make([]bus.Bus, 10)
	for i := range links {
		links[i] = openBus(t, addr, fmt.Sprint("agents", i))
	}
	var asked, changed, broken, mended atomic.Int64
	for i := range agents {
		b, name, taken := links[i%len(links)], fmt.Sprint("host", i), make(chan struct{}, 1)
		inbox := control.ReplyKey(name)
		told, err := b.Subscribe(t.Context(), bus.Subscription{NoAck: true, Taken: func() { taken <- struct{}{} }, Bindings: []bus.Binding{
			{Source: telemetry.ControlExchange, Key: control.HostKey(name)}, {Source: telemetry.ControlExchange, Key: inbox},
		}})
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			<-taken
			m, _ := control.Encode(control.ReportType, telemetry.TemplateQueue, &control.Report{Host: name, Groups: []string{"g"}, Revision: "old"})
			m.ReplyTo, m.CorrelationID = inbox, "1"
			if err := b.Publish(t.Context(), telemetry.RequestExchange, m); err != nil {
				t.Error(err)
			}
			for d := range told {
				var got control.Template
				if err := control.Decode(&d.Message, &got); err != nil || got.Host != name || control.Revision(got.Body) != got.Revision {
					t.Errorf("%s got %+v, %v", name, got, err)
				}
				switch {
				case strings.Contains(got.Body, "interval: 7s"):
					asked.Add(1)
				case strings.Contains(got.Body, "interval: 8s"):
					changed.Add(1)
				case strings.Contains(got.Body, "interval: 9s"):
					mended.Add(1)
				default:
					broken.Add(1)
				}
			}
		}()
	}
	until(t, func() bool { return asked.Load() == agents })
	began := time.Now()
	writeTemplate(t, files, "probes: [{name: load, interval: 8s}]\n")
	until(t, func() bool { return changed.Load() == agents })
	t.Logf("%d agents %s after the file changed", agents, time.Since(began).Round(time.Millisecond))

	writeTemplate(t, files, "probes:\n  - {name: load, interval: 1s}\n  - {name: laod, interval: 1s}\n")
	until(t, func() bool {
		var listed struct {
			Problems []struct {
				File, Reason string
				Line         int
			}
		}
		call(t, c, http.MethodGet, "/api/templates", &listed)
		return len(listed.Problems) > 0 && listed.Problems[0].File == "web.yaml" && listed.Problems[0].Line == 3 && strings.Contains(listed.Problems[0].Reason, "laod")
	})
	writeTemplate(t, files, "probes: [{name: load, interval: 9s}]\n")
	until(t, func() bool { return mended.Load() == agents })
	if n := broken.Load(); n > 0 {
		t.Errorf("%d agents got something of the broken file", n)
	}
}

// TestBoost: an agent measures every second while asked, says what it said
// before of its interval, and goes back by itself.
func TestBoost(t *testing.T) {
	addr, _ := startBroker(t, t.TempDir(), "127.0.0.1:0")
	server := openBus(t, addr, "server")
	passing, err := server.Subscribe(t.Context(), bus.Subscription{NoAck: true, Bindings: []bus.Binding{{Source: telemetry.TopicExchange, Key: "web.*.load"}}})
	if err != nil {
		t.Fatal(err)
	}
	startAgent(t, openBus(t, addr, "agent"), t.TempDir())
	batches := func(d time.Duration) (n int) {
		for end := time.After(d); ; {
			select {
			case m := <-passing:
				if o := telemetry.OriginOf(&m.Message); o.Interval != 10*time.Second {
					t.Errorf("interval %s while boosted, want the template's", o.Interval)
				}
				n++
			case <-end:
				return n
			}
		}
	}
	batches(3 * time.Second) // the warm-up
	m, err := control.Encode(control.BoostType, control.HostKey("web.01"), &control.Boost{
		Host: "web.01", Probes: []string{"load"}, Interval: config.Duration(time.Second), For: config.Duration(4 * time.Second),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Publish(t.Context(), telemetry.ControlExchange, m); err != nil {
		t.Fatal(err)
	}
	if n := batches(4 * time.Second); n < 3 || n > 6 {
		t.Errorf("%d batches in 4 s of boost", n)
	}
	batches(time.Second) // one more may be on its way
	if n := batches(5 * time.Second); n > 1 {
		t.Errorf("%d batches in 5 s after the boost", n)
	}
}

// TestRetire: a host that is retired is gone, also after a restart, and one that
// is not is still there with all that is known of it.
func TestRetire(t *testing.T) {
	addr, _ := startBroker(t, t.TempDir(), "127.0.0.1:0")
	data := t.TempDir()
	c, stop := steered(t, openBus(t, addr, "collector"), data, "")
	server := openBus(t, addr, "agents")
	for i, name := range []string{"web01", "web02"} {
		m := sample(i, now, 1)
		m.Headers[telemetry.HostHeader] = name
		publish(t, server, m)
		m, _ = control.Encode(control.ReportType, telemetry.TemplateQueue, &control.Report{Host: name, Groups: []string{"web"}, Version: "v" + name})
		m.ReplyTo = control.ReplyKey("x") // which nobody hears
		if err := server.Publish(t.Context(), telemetry.RequestExchange, m); err != nil {
			t.Fatal(err)
		}
	}
	hosts := func(c *collector.Collector) (all []fleetHost) {
		call(t, c, http.MethodGet, "/api/hosts", &all)
		return all
	}
	until(t, func() bool { all := hosts(c); return len(all) == 2 && all[0].Agent != nil && all[1].Agent != nil })
	if code := call(t, c, http.MethodDelete, "/api/hosts/nobody", nil); code != http.StatusNotFound {
		t.Errorf("retire nobody: %d", code)
	}
	watching := make(chan struct{}, 1)
	told, err := openBus(t, addr, "dashboard").Subscribe(t.Context(), bus.Subscription{
		NoAck: true, Taken: func() { watching <- struct{}{} }, Bindings: []bus.Binding{{Source: telemetry.ControlExchange, Key: control.FleetKey}},
	})
	if err != nil {
		t.Fatal(err)
	}
	<-watching
	if code := call(t, c, http.MethodDelete, "/api/hosts/web01", nil); code != http.StatusNoContent {
		t.Errorf("retire: %d", code)
	}
	select {
	case d := <-told:
		if r, err := control.DecodeRetired(&d.Message); err != nil || r.Host != "web01" || r.Group != "web" || d.Type != control.RetiredType {
			t.Errorf("told %+v, %v", d.Message, err)
		}
	case <-time.After(time.Minute):
		t.Error("nobody is told of the retirement")
	}
	if code := call(t, c, http.MethodDelete, "/api/hosts/web01", nil); code != http.StatusNotFound {
		t.Errorf("retire again: %d", code)
	}
	stop()
	again, _ := steered(t, openBus(t, addr, "collector2"), data, "")
	if all := hosts(again); len(all) != 1 || all[0].Name != "web02" || all[0].Agent == nil || all[0].Agent.Version != "vweb02" {
		t.Errorf("after the restart %+v", all)
	}
}
