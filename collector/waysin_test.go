package collector_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"thump/internal/bus"
	"thump/internal/telemetry"
)

// fleetBus is openBus with the exchange and the queues of Telegraf and
// OpenTelemetry.
func fleetBus(t *testing.T, addr string) bus.Bus {
	t.Helper()
	topology, fleets := telemetry.Topology(), telemetry.Fleets()
	topology.Exchanges = append(topology.Exchanges, fleets.Exchanges...)
	topology.Queues = append(topology.Queues, fleets.Queues...)
	topology.Bindings = append(topology.Bindings, fleets.Bindings...)
	b, err := bus.Open(bus.Config{URLs: []string{"amqp://guest:guest@" + addr + "/"}}, bus.Options{
		Name: "collector", Topology: topology, Registerer: prometheus.NewRegistry(),
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	ready, cancelReady := context.WithTimeout(ctx, 10*time.Second)
	defer cancelReady()
	if err := b.Ready(ready); err != nil {
		t.Fatal(err)
	}
	return b
}

// TestPrometheus lets a real Prometheus scrape itself and write to us: both
// answer the same afterwards.
func TestPrometheus(t *testing.T) {
	if _, err := exec.LookPath("prometheus"); err != nil {
		t.Skip("no prometheus here")
	}
	addr, _ := startBroker(t, t.TempDir(), "127.0.0.1:0")
	c, _, _ := start(t, fleetBus(t, addr))
	s := httptest.NewServer(c.Handler())
	t.Cleanup(s.Close)
	dir := t.TempDir()
	const listen = "127.0.0.1:19091"
	config := fmt.Sprintf(`
global: {scrape_interval: 500ms, scrape_timeout: 500ms}
scrape_configs: [{job_name: self, static_configs: [{targets: ["%s"]}]}]
remote_write: [{url: "%s/api/v1/write", queue_config: {batch_send_deadline: 100ms}}]
`, listen, s.URL)
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	p := exec.CommandContext(t.Context(), "prometheus", "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+listen)
	p.Stderr = t.Output()
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.Process.Kill()
		_ = p.Wait()
	})
	until(t, func() bool { return valueAt(t, c, `count_over_time(up{job="self"}[1m]) > 5`, time.Now()) != "" })
	end := time.Now().Unix()
	until(t, func() bool {
		return valueAt(t, c, fmt.Sprintf(`timestamp(up{job="self"}) > %d`, end), time.Now()) != ""
	})
	for _, expr := range []string{
		`count({job="self"})`, `sum(count_over_time(up[1m]))`, `sum(sum_over_time(prometheus_tsdb_head_samples_appended_total[1m]))`,
		`count(prometheus_http_request_duration_seconds_bucket)`,
	} {
		at := fmt.Sprintf("%s&time=%d", url.QueryEscape(expr), end)
		_, theirs := fetch(t, "GET", "http://"+listen+"/api/v1/query?query="+at)
		_, ours := fetch(t, "GET", s.URL+"/api/v1/query?query="+at)
		if result(ours) == "" || result(ours) != result(theirs) {
			t.Errorf("%s: %s\nPrometheus says %s", expr, result(ours), result(theirs))
		}
	}
}

// result is the part of an answer that holds values.
func result(answer string) string {
	_, r, _ := strings.Cut(answer, `"result":`)
	r, _, _ = strings.Cut(r, "]}]")
	return r
}

// telegraf publishes as Telegraf's amqp output does, with RabbitMQ's client for
// Python.
const telegraf = `
import pika, sys
c = pika.BlockingConnection(pika.ConnectionParameters('127.0.0.1', int(sys.argv[1])))
ch = c.channel()
ch.exchange_declare('telegraf', 'topic', durable=True)
ch.basic_publish('telegraf', 'tg01', b'cpu,host=tg01 usage_idle=97.25,used=3i\n', pika.BasicProperties(content_type='text/plain'))
ch.queue_declare('otlp_metrics', passive=True)
ch.basic_publish('', 'otlp_metrics', b'{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"heat","gauge":{"dataPoints":[{"asDouble":1.5}]}}]}]}]}')
c.close()
`

func TestTelegraf(t *testing.T) {
	const python = "/usr/bin/python3"
	if exec.CommandContext(t.Context(), python, "-c", "import pika").Run() != nil {
		t.Skip("no pika here")
	}
	addr, _ := startBroker(t, t.TempDir(), "127.0.0.1:0")
	c, _, _ := start(t, fleetBus(t, addr))
	if out, err := exec.CommandContext(t.Context(), python, "-c", telegraf, addr[len("127.0.0.1:"):]).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for expr, want := range map[string]string{`cpu_usage_idle{host="tg01"}`: "97.25", `cpu_used`: "3", `heat`: "1.5"} {
		until(t, func() bool { return valueAt(t, c, expr, time.Now()) == want })
	}
}
