package agent

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"thump/agent/probe"
	"thump/agent/template"
	"thump/internal/config"
	"thump/internal/telemetry"
	"thump/internal/vfs"
	"thump/internal/vfs/faulty"
)

// fake is a probe that takes a while.
type fake struct {
	name  string
	takes time.Duration
	desc  *probe.Desc
	n     int
	err   error
}

func newFake(name string, takes time.Duration) *fake {
	return &fake{name: name, takes: takes, desc: probe.NewDesc("node_"+name+"_total", telemetry.Counter, "Runs.", "cpu")}
}

func (f *fake) Name() string { return f.name }

func (f *fake) Collect(ctx context.Context, s *probe.Sink) error {
	f.n++
	s.Add(f.desc, float64(f.n), "0")
	select {
	case <-time.After(f.takes):
	case <-ctx.Done():
	}
	return f.err
}

func testConfig(lines ...template.Probe) Config {
	cfg := DefaultConfig()
	cfg.Host, cfg.Group, cfg.DataDir, cfg.SpoolSize = "web 01", "web", "/agent", 4<<20
	cfg.Labels = map[string]string{"site": "north"}
	cfg.Template = template.Template{Probes: lines}
	return cfg
}

func line(name string, seconds int) template.Probe {
	return template.Probe{Name: name, Interval: config.Duration(time.Duration(seconds) * time.Second)}
}

func testAgent(t *testing.T, cfg Config, b *scripted, disk vfs.FS, probes ...probe.Probe) *Agent {
	t.Helper()
	a, err := newAgent(cfg, Deps{Bus: b, Logger: silent, Registerer: prometheus.NewRegistry()}, disk, probes)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// runFor runs an agent for a while, and to its end.
func runFor(t *testing.T, a *Agent, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if err := a.Run(ctx); err != nil {
		t.Fatal(err)
	}
}

// samples are what has arrived, by series: the values in order of their time.
func samples(t *testing.T, got []arrival) map[string][]telemetry.Sample {
	t.Helper()
	all := map[string][]telemetry.Sample{}
	for _, a := range got {
		err := telemetry.Decode(a.m, func(s *telemetry.Series) error {
			var name strings.Builder
			for _, l := range s.Labels {
				name.WriteString(l.Name + "=" + l.Value + " ")
			}
			all[name.String()] = append(all[name.String()], s.Samples...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range all {
		slices.SortFunc(s, func(a, b telemetry.Sample) int { return int(a.Time - b.Time) })
	}
	return all
}

// TestMessages looks at what one agent publishes in a minute.
func TestMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newScripted(true)
		began := time.Now()
		a := testAgent(t, testConfig(line("cpu", 5), line("agent", 10)), b, faulty.New(), newFake("cpu", 0))
		runFor(t, a, time.Minute)
		byProbe := map[string]int{}
		ids := map[string]bool{}
		for _, a := range b.arrivals() {
			origin := telemetry.OriginOf(a.m)
			byProbe[origin.Probe]++
			ids[a.m.ID] = true
			if origin.Host != "web 01" || origin.Group != "web" || a.m.Key != "web.web_01."+origin.Probe {
				t.Errorf("key %q, origin %+v", a.m.Key, origin)
			}
			if want := map[string]time.Duration{"cpu": 5 * time.Second, "agent": 10 * time.Second}[origin.Probe]; origin.Interval != want {
				t.Errorf("interval of %s is %v, want %v", origin.Probe, origin.Interval, want)
			}
		}
		if len(ids) != len(b.arrivals()) {
			t.Errorf("%d ids for %d batches", len(ids), len(b.arrivals()))
		}
		for name, ticks := range map[string]int{"cpu": 12, "agent": 6} {
			if n := byProbe[name]; n < ticks+2 || n > ticks+3 { // the warm-up, and ticks wherever they fall
				t.Errorf("%d batches of %s in a minute, want %d or %d", n, name, ticks+2, ticks+3)
			}
		}
		got := samples(t, b.arrivals())
		cpu := got["__name__=node_cpu_total cpu=0 group=web instance=web 01 job=node site=north "]
		for i, s := range cpu {
			if s.Value != float64(i+1) {
				t.Errorf("sample %d is %v", i, s)
			}
		}
		for i, want := range warmUp {
			if d := time.UnixMilli(cpu[i].Time).Sub(began); d != want {
				t.Errorf("sample %d after %v, want %v", i, d, want)
			}
		}
		up := got["__name__=up group=web instance=web 01 job=node site=north "]
		if len(up) != byProbe["agent"] || up[0].Value != 1 {
			t.Errorf("up is %v", up)
		}
	})
}

// TestLateProbe: runs that a slow probe misses are counted, not made up for.
func TestLateProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newScripted(true)
		slow := newFake("cpu", 12*time.Second)
		a := testAgent(t, testConfig(line("cpu", 5), line("agent", 5)), b, faulty.New(), slow)
		runFor(t, a, 10*time.Minute)
		if n := slow.n; n < 38 || n > 41 { // one run per 15 s
			t.Errorf("%d runs in ten minutes, want 40", n)
		}
		skipped := samples(t, b.arrivals())["__name__=thump_agent_skipped_runs_total group=web instance=web 01 job=node site=north "]
		if n := skipped[len(skipped)-1].Value; n < 76 || n > 84 {
			t.Errorf("%v runs skipped, want 80", n)
		}
	})
}

// TestOutageAndRestarts: an agent that is killed and ended while the broker is
// away delivers everything in the end, and counts nothing as dropped.
func TestOutageAndRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := faulty.New()
		total := 0
		for range 3 {
			p := newFake("cpu", 0)
			runFor(t, testAgent(t, testConfig(line("cpu", 5)), newScripted(false), disk, p), time.Minute)
			total += p.n
			disk = disk.Kill()
		}
		b := newScripted(true)
		last := newFake("cpu", 0)
		a := testAgent(t, testConfig(line("cpu", 5)), b, disk, last)
		runFor(t, a, time.Minute)
		cpu := samples(t, b.arrivals())["__name__=node_cpu_total cpu=0 group=web instance=web 01 job=node site=north "]
		if want := total + last.n; len(cpu) != want {
			t.Errorf("%d samples, want %d", len(cpu), want)
		}
		times := map[int64]bool{}
		for _, s := range cpu {
			times[s.Time] = true
		}
		if len(times) != len(cpu) {
			t.Errorf("%d times for %d samples", len(times), len(cpu))
		}
	})
}

// TestFailingProbe still sends what it has, and says that it failed.
func TestFailingProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newScripted(true)
		p := newFake("cpu", 0)
		p.err = errors.New("broken")
		runFor(t, testAgent(t, testConfig(line("cpu", 5)), b, faulty.New(), p), 3*time.Second)
		got := samples(t, b.arrivals())
		for name, want := range map[string]float64{
			"__name__=node_cpu_total cpu=0 group=web instance=web 01 job=node site=north ":                        3,
			"__name__=node_scrape_collector_success collector=cpu group=web instance=web 01 job=node site=north ": 0,
		} {
			if s := got[name]; len(s) < 3 || s[2].Value != want {
				t.Errorf("%s is %v, want %v in the third sample", name, s, want)
			}
		}
	})
}

func TestConfigCheck(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Config)
		err    string
	}{
		{"default", func(*Config) {}, ""},
		{"no group", func(c *Config) { c.Group = "" }, "empty group"},
		{"rate", func(c *Config) { c.BacklogRate = 0 }, "backlog rate 0"},
		{"spool", func(c *Config) { c.SpoolSize = 1000 }, "spool size 1000, want 1MiB to 64GiB"},
		{"label", func(c *Config) { c.Labels["job"] = "x" }, `label "job" cannot be set`},
		{"probe", func(c *Config) { c.Template.Probes[0].Name = "cup" }, `unknown probe "cup"`},
		{"twice", func(c *Config) { c.Template.Probes = append(c.Template.Probes, line("cpu", 9)) }, `probe "cpu" twice`},
		{"template from", func(c *Config) { c.TemplateFrom = "moon" }, `template from "moon", want server or file`},
		{"exec", func(c *Config) { c.Exec = []string{"check_disk"} }, `exec "check_disk"`},
		{"exec as a user", func(c *Config) { c.Exec = []string{"nagios:/usr/lib/nagios/plugins/*"} }, ""},
		{"interval", func(c *Config) { c.Template.Probes[0].Interval = 1000 }, "want at least 1s"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := testConfig(line("cpu", 5))
			tt.change(&cfg)
			_, err := newAgent(cfg, Deps{Bus: newScripted(true), Logger: silent, Registerer: prometheus.NewRegistry()}, faulty.New(), nil)
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
		})
	}
}

// TestSecondAgent: one folder, one agent.
func TestSecondAgent(t *testing.T) {
	disk := faulty.New()
	testAgent(t, testConfig(), newScripted(true), disk)
	_, err := newAgent(testConfig(), Deps{Bus: newScripted(true), Logger: silent, Registerer: prometheus.NewRegistry()}, disk, nil)
	var locked *vfs.LockedError
	if !errors.As(err, &locked) {
		t.Errorf("second agent: %v", err)
	}
}

// TestThisHost runs the default template on this host and its disk.
func TestThisHost(t *testing.T) {
	cfg := DefaultConfig()
	cfg.DataDir = t.TempDir() + "/agent"
	b := newScripted(true)
	a, err := New(cfg, Deps{Bus: b, Logger: silent, Registerer: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	deadline := time.Now().Add(20 * time.Second)
	for len(b.arrivals()) < 3*len(cfg.Template.Probes) && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	got := samples(t, b.arrivals())
	names := map[string]bool{}
	for series := range maps.Keys(got) {
		names[strings.TrimPrefix(strings.Fields(series)[0], "__name__=")] = true
	}
	for _, name := range []string{
		"up", "thump_agent_build_info", "thump_agent_spool_bytes", "thump_agent_spool_batches", "thump_agent_dropped_batches_total",
		"process_cpu_seconds_total", "node_load1", "node_cpu_seconds_total", "node_memory_MemTotal_bytes", "node_filesystem_avail_bytes",
		"node_disk_read_bytes_total", "node_network_receive_bytes_total", "node_uname_info", "node_scrape_collector_duration_seconds",
	} {
		if !names[name] {
			t.Errorf("no %s", name)
		}
	}
	if _, err := (vfs.OS{}).Open(cfg.DataDir + "/0000000000000001.spool"); errors.Is(err, fs.ErrNotExist) {
		t.Error("no spool on disk")
	}
}

func TestPrint(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Host, cfg.Labels = "web01", map[string]string{"note": "a \"b\"\n\\"}
	var out strings.Builder
	if err := Print(t.Context(), cfg, "1.2.3", &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"# TYPE node_cpu_seconds_total counter\n", "# HELP node_load1 1m load average.\n", "# TYPE node_vmstat_pgfault untyped\n",
		`version="1.2.3"} 1`, `node_load1{group="default",instance="web01",job="node",note="a \"b\"\n\\"} `,
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in what is printed", want)
		}
	}
	if n := strings.Count(out.String(), "# TYPE node_scrape_collector_success "); n != 1 {
		t.Errorf("a metric has %d TYPE lines", n)
	}
}
