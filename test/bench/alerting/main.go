// Alerting measures how long it takes from a sample published to a webhook
// received, beside Debian's Prometheus and Alertmanager, alone and under load.
//
//	go run ./test/bench/alerting -thump bin/thump
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"thump/internal/bus"
	"thump/internal/logging"
	"thump/internal/telemetry"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	thump    = flag.String("thump", "bin/thump", "the program")
	runs     = flag.Int("runs", 50, "alerts of each measurement")
	hosts    = flag.Int("hosts", 10_000, "hosts of the load")
	interval = flag.Duration("interval", 10*time.Second, "between two batches of a host")
	length   = flag.Duration("load", 40*time.Second, "how long the load is measured")
	limit    = flag.Duration("limit", 10*time.Minute, "everything must be over by then")
	peer     = flag.Bool("prometheus", true, "measure Debian's Prometheus and Alertmanager too")
)

// seriesPerHost is how many series a host of the load has, rulesLoaded how many
// rules read them, two each.
const (
	seriesPerHost = 50
	rulesLoaded   = 30
)

func main() {
	flag.Parse()
	log.SetFlags(0)
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	ctx, cancel := context.WithTimeout(context.Background(), *limit)
	defer cancel()
	dir, err := os.MkdirTemp("", "bench-alerting")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{dir: dir, hits: make(chan hit, 100_000)}
	defer b.stop()
	if err := b.start(ctx); err != nil {
		return err
	}
	report("thump, through the broker", b.measure(ctx, *runs, b.publish, 150*time.Millisecond))
	if *peer {
		if err := b.startPrometheus(); err != nil {
			log.Print("Prometheus and Alertmanager are not measured: ", err)
		} else {
			report("Prometheus 1 s / 1 s / group_wait 0 s", b.measure(ctx, *runs, b.expose, 0))
		}
	}
	return b.underLoad(ctx)
}

// bench is the parts of the measurement.
type bench struct {
	dir      string
	hits     chan hit
	bus      bus.Bus
	broker   string // AMQP URL
	alerting *exec.Cmd
	children []*exec.Cmd
	exposed  atomic.Int64 // runs whose value is 1 in the exporter
	hook     string
}

type hit struct {
	instance string
	at       time.Time
}

// start starts broker, alerting, webhook and publisher.
func (b *bench) start(ctx context.Context) error {
	hook, err := b.serve(http.HandlerFunc(b.receive))
	if err != nil {
		return err
	}
	b.hook = hook
	amqp, web, api := port(), port(), port()
	b.write("rules.yml", rules())
	b.write("alertmanager.yml", fmt.Sprintf("route: {receiver: h, group_by: [alertname, instance], group_wait: 0s, group_interval: 1m}\nreceivers: [{name: h, webhook_configs: [{url: 'http://%s/'}]}]\n", hook))
	if _, err := b.child(*thump, "broker", "--data-dir", "broker", "--amqp", amqp, "--http", web, "--management", ""); err != nil {
		return err
	}
	url := "amqp://guest:guest@" + amqp + "/"
	if err := ready("http://" + web + "/readyz"); err != nil {
		return err
	}
	if b.alerting, err = b.child(*thump, "alerting", "--data-dir", "alerting", "--bus", url, "--http", api, "--rules", "rules.yml", "--alertmanager-config", "alertmanager.yml"); err != nil {
		return err
	}
	if err := ready("http://" + api + "/readyz"); err != nil {
		return err
	}
	quiet, err := logging.New(os.Stderr, logging.Config{Level: "warn", Format: "text"})
	if err != nil {
		return err
	}
	cfg := bus.DefaultConfig()
	b.broker, cfg.URLs = url, []string{url}
	b.bus, err = bus.Open(cfg, bus.Options{Name: "bench", Topology: telemetry.Topology(), Logger: quiet, Registerer: prometheus.NewRegistry()})
	if err != nil {
		return err
	}
	go func() { _ = b.bus.Run(ctx) }()
	soon, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return b.bus.Ready(soon)
}

func rules() string {
	var s strings.Builder
	s.WriteString("groups:\n- name: measured\n  rules:\n  - {alert: Crossed, expr: 'crossed > 0.5'}\n")
	for i := range rulesLoaded - 1 {
		if i%5 == 0 {
			fmt.Fprintf(&s, "- name: load%d\n  rules:\n", i/5)
		}
		fmt.Fprintf(&s, "  - {alert: Load%d, expr: 'load_%d{job=\"node\"} / load_%d{job=\"node\"} > 1e6', for: 1m}\n", i, i, i+1)
	}
	return s.String()
}

func (b *bench) receive(_ http.ResponseWriter, r *http.Request) {
	at := time.Now()
	var m struct {
		Alerts []struct {
			Status string
			Labels map[string]string
		}
	}
	if json.NewDecoder(r.Body).Decode(&m) != nil {
		return
	}
	for _, a := range m.Alerts {
		if a.Status == "firing" {
			b.hits <- hit{a.Labels["instance"], at}
		}
	}
}

// patience is how long whatever must happen may take, and misses how many alerts
// in a row may never arrive before a measurement is given up.
const (
	patience = 30 * time.Second
	misses   = 3
)

// measure crosses the threshold for one instance after the other and returns how
// long each took to reach the webhook.
func (b *bench) measure(ctx context.Context, n int, cross func(context.Context, int) (string, error), pause time.Duration) (took []time.Duration) {
	missed := 0
	for i := 0; i < n && missed < misses && ctx.Err() == nil; i++ {
		time.Sleep(pause + rand.N(time.Second))
		from := time.Now()
		name, err := cross(ctx, i)
		if err != nil {
			log.Printf("run %d: %v", i, err)
			missed++
			continue
		}
		at, ok := b.await(ctx, name)
		if !ok {
			log.Printf("run %d: nothing within %s", i, patience)
			missed++
			continue
		}
		took, missed = append(took, at.Sub(from)), 0
	}
	slices.Sort(took)
	return took
}

// await is when the alert of an instance came.
func (b *bench) await(ctx context.Context, instance string) (time.Time, bool) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		select {
		case h := <-b.hits:
			if h.instance == instance {
				return h.at, true
			}
		case <-ctx.Done():
			return time.Time{}, false
		}
	}
}

func report(what string, took []time.Duration) {
	if len(took) == 0 {
		fmt.Printf("%-40s nothing received\n", what)
		return
	}
	at := func(q float64) time.Duration {
		return took[min(len(took)-1, int(q*float64(len(took))))].Round(time.Millisecond / 10)
	}
	fmt.Printf("%-40s n=%d median=%v p90=%v p99=%v max=%v\n", what, len(took), at(.5), at(.9), at(.99), took[len(took)-1].Round(time.Millisecond/10))
}

// publish publishes one sample above the threshold.
func (b *bench) publish(ctx context.Context, run int) (instance string, err error) {
	instance = fmt.Sprintf("h%d-%d", run, rand.Int32())
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return instance, b.bus.Publish(ctx, telemetry.MetricsExchange, &bus.Message{
		Key: "g.bench.x", ContentType: telemetry.JSONContentType,
		Body: fmt.Appendf(nil, `{"name":"crossed","labels":{"instance":%q},"value":1}`, instance),
	})
}

// startPrometheus starts Debian's pair at its most aggressive, with an exporter.
func (b *bench) startPrometheus() error {
	exporter, err := b.serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for i := range b.exposed.Load() {
			fmt.Fprintf(w, "crossed{instance=\"%d\"} 1\n", i)
		}
	}))
	if err != nil {
		return err
	}
	prom, am := port(), port()
	b.write("prometheus.yml", fmt.Sprintf("global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [rules.yml]\nalerting: {alertmanagers: [{static_configs: [{targets: ['%s']}]}]}\nscrape_configs: [{job_name: t, honor_labels: true, static_configs: [{targets: ['%s']}]}]\n", am, exporter))
	if _, err := b.child("prometheus-alertmanager", "--config.file=alertmanager.yml", "--storage.path=am", "--web.listen-address="+am, "--cluster.listen-address="); err != nil {
		return err
	}
	if _, err := b.child("prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=prom", "--web.listen-address="+prom); err != nil {
		return err
	}
	return ready("http://" + prom + "/-/ready")
}

// expose shows one more sample above the threshold to whoever scrapes.
func (b *bench) expose(context.Context, int) (instance string, err error) {
	return strconv.FormatInt(b.exposed.Add(1)-1, 10), nil
}

func (b *bench) serve(h http.Handler) (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go func() { _ = http.Serve(l, h) }()
	return l.Addr().String(), nil
}

func (b *bench) write(name, text string) {
	if err := os.WriteFile(filepath.Join(b.dir, name), []byte(text), 0o600); err != nil {
		log.Fatal(err)
	}
}

func (b *bench) child(program string, args ...string) (*exec.Cmd, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		return nil, err
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	c := exec.Command(path, args...)
	c.Dir = b.dir
	out, err := os.Create(filepath.Join(b.dir, fmt.Sprintf("log%d", len(b.children))))
	if err != nil {
		return nil, err
	}
	c.Stdout, c.Stderr = out, out
	if err := c.Start(); err != nil {
		return nil, err
	}
	b.children = append(b.children, c)
	return c, nil
}

func (b *bench) stop() {
	for _, c := range slices.Backward(b.children) {
		_ = c.Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(10*time.Second, func() { _ = c.Process.Kill() })
		_ = c.Wait()
		late.Stop()
	}
}

func port() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

var client = http.Client{Timeout: patience}

func ready(url string) error {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		r, err := client.Get(url)
		if err != nil {
			continue
		}
		r.Body.Close()
		if r.StatusCode == http.StatusOK {
			return nil
		}
	}
	return fmt.Errorf("%s is not ready within %s", url, patience)
}

// seconds is the CPU time that a process has taken.
func seconds(c *exec.Cmd) float64 {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.Process.Pid))
	if err != nil {
		return 0
	}
	f := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	user, _ := strconv.ParseFloat(f[11], 64)
	system, _ := strconv.ParseFloat(f[12], 64)
	return (user + system) / 100 // ticks of 10 ms
}
