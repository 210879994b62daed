package collector_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"thump/collector"
)

// engine is a foreign engine that is sent to, which can be killed and started
// again on its data.
type engine struct {
	t       *testing.T
	program string
	args    []string
	addr    string
	write   string // path
	process *exec.Cmd
}

// engines are those that are installed here; where CI is set all must be.
func engines(t *testing.T) (all []*engine) {
	t.Helper()
	for _, program := range []string{"prometheus", "victoria-metrics"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal(err)
			}
			t.Logf("not tested with %s: %v", program, err)
			continue
		}
		e := &engine{t: t, program: program, addr: freeAddr(t)}
		dir := t.TempDir()
		switch program {
		case "prometheus":
			file := filepath.Join(dir, "prometheus.yml")
			if err := os.WriteFile(file, []byte("storage: {tsdb: {out_of_order_time_window: 1h}}\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			e.write = "/api/v1/write"
			e.args = []string{"--config.file=" + file, "--storage.tsdb.path=" + filepath.Join(dir, "data"),
				"--web.listen-address=" + e.addr, "--web.enable-remote-write-receiver"}
		case "victoria-metrics":
			e.write = "/api/v1/write"
			e.args = []string{"-storageDataPath=" + filepath.Join(dir, "data"), "-httpListenAddr=" + e.addr, "-search.latencyOffset=0s",
				"-dedup.minScrapeInterval=1ms"} // it keeps a sample that comes twice twice
		}
		all = append(all, e)
	}
	if len(all) == 0 {
		t.Skip("no other engine here")
	}
	return all
}

// freeAddr is an address that nobody listens on now.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (e *engine) start() {
	e.t.Helper()
	e.process = exec.CommandContext(context.WithoutCancel(e.t.Context()), e.program, e.args...)
	if err := e.process.Start(); err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(e.kill)
}

// end lets VictoriaMetrics write what it has taken: it answers before that is on
// disk, and a killed one has lost it.
func (e *engine) end() {
	e.t.Helper()
	if e.program != "prometheus" {
		if err := e.process.Process.Signal(syscall.SIGTERM); err != nil {
			e.t.Error(err)
		}
		_ = e.process.Wait() // says by which signal
		e.process = nil
	}
	e.kill()
}

func (e *engine) kill() {
	if e.process != nil {
		_ = e.process.Process.Kill()
		_ = e.process.Wait()
		e.process = nil
	}
}

// query is the result part of an answer; "" while there is none.
func (e *engine) query(expr string, at time.Time) string {
	e.t.Helper()
	client := http.Client{Timeout: 10 * time.Second}
	res, err := client.Get("http://" + e.addr + "/api/v1/query?" + url.Values{"query": {expr}, "time": {strconv.FormatInt(at.Unix(), 10)}, "nocache": {"1"}}.Encode())
	if err != nil {
		return ""
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return ""
	}
	return result(string(body))
}

// TestForward: two foreign engines have what history has, though each of them is
// ended on the way, and the collector starts anew while they are away.
func TestForward(t *testing.T) {
	long(t)
	all := engines(t)
	addr, _ := startBroker(t, t.TempDir(), "127.0.0.1:0")
	agent := openBus(t, addr, "agent")
	data, file := t.TempDir(), filepath.Join(t.TempDir(), "forward.yml")
	text := "global: {external_labels: {site: north}}\nremote_write:\n"
	for _, e := range all {
		text += fmt.Sprintf(`- {url: "http://%s%s", queue_config: {batch_send_deadline: 100ms, max_backoff: 500ms},
   write_relabel_configs: [{source_labels: [__name__], regex: "dropped|up", action: drop}]}`+"\n", e.addr, e.write)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	open := func() (c *collector.Collector, stop func()) {
		cfg := collector.DefaultConfig()
		cfg.DataDir, cfg.MinFree, cfg.Receive.Fleets, cfg.Forward = data, 0, false, file
		c, err := collector.New(cfg, collector.Deps{
			Bus: openBus(t, addr, "collector"), Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Registerer: prometheus.NewRegistry()})
		if err != nil {
			t.Fatal(err)
		}
		return c, run(t, c)
	}
	const phase, phases = 8, 5
	base := time.Now().Add(-phase * phases * time.Second).Truncate(time.Second)
	sent := 0
	more := func(c *collector.Collector) { // one phase of samples, stored
		for range phase {
			sent++
			publish(t, agent, of("web01", sent, []time.Time{base.Add(time.Duration(sent) * time.Second)}, "m", "dropped"))
		}
		until(t, func() bool { return valueAt(t, c, "count_over_time(m[1h])", time.Now()) == strconv.Itoa(sent) })
	}
	have := func(n int) {
		for _, e := range all {
			until(t, func() bool { return e.has(n) })
		}
	}
	for _, e := range all {
		e.start()
	}
	c, stop := open()
	more(c)
	have(sent)
	for _, e := range all { // an outage of theirs
		e.end()
	}
	more(c)
	stop() // ours meanwhile
	c, stop = open()
	more(c)
	for _, e := range all {
		e.start()
	}
	have(sent)
	stop() // nothing waits; nor does it come again
	c, _ = open()
	more(c)
	late := base.Add(500 * time.Millisecond)
	publish(t, agent, of("web01", 1000, []time.Time{late}, "m"))
	until(t, func() bool { return valueAt(t, c, "count_over_time(m[1h])", time.Now()) == strconv.Itoa(sent+1) })
	have(sent + 1)
	for _, e := range all {
		for _, expr := range []string{"sum_over_time(m[1h])", "count(m)"} {
			if got, want := e.query(expr, time.Now()), valueAt(t, c, expr, time.Now()); !strings.Contains(got, want) {
				t.Errorf("%s: %s is %s, want %s", e.program, expr, got, want)
			}
		}
		if got := e.query(`count({__name__=~"dropped|up"})`, time.Now()); strings.Contains(got, "value") {
			t.Errorf("%s has what relabelling drops: %s", e.program, got)
		}
	}
}

// has tells whether the engine has n samples, with the label that is put on.
func (e *engine) has(n int) bool {
	return strings.Contains(e.query(`count_over_time(m{site="north"}[1h])`, time.Now()), fmt.Sprintf("%q", strconv.Itoa(n)))
}
