package collector_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"thump/collector"
	"thump/internal/bus"
	"thump/internal/telemetry"
	"thump/internal/vfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// now is the time of the tests' newest samples.
var now = time.Now().Truncate(time.Second)

func newCollector(t testing.TB, dir string, b bus.Bus, reg prometheus.Registerer) *collector.Collector {
	t.Helper()
	return newCollectorOn(t, vfs.OS{}, dir, b, reg)
}

func newCollectorOn(t testing.TB, fs vfs.FS, dir string, b bus.Bus, reg prometheus.Registerer) *collector.Collector {
	t.Helper()
	cfg := collector.DefaultConfig()
	cfg.DataDir, cfg.MinFree = dir, 0
	c, err := collector.New(cfg, collector.Deps{Bus: b, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Registerer: reg, FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// run runs a collector until stop is called, or the test ends.
func run(t testing.TB, c *collector.Collector) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// start runs a collector on a new folder.
func start(t testing.TB, b bus.Bus) (c *collector.Collector, reg *prometheus.Registry, dir string) {
	t.Helper()
	dir, reg = t.TempDir(), prometheus.NewRegistry()
	c = newCollector(t, dir, b, reg)
	run(t, c)
	return c, reg, dir
}

// sample is a batch of the host web01 with one sample of the series m.
func sample(seq int, at time.Time, v float64) *bus.Message {
	return (&telemetry.Encoder{}).Encode(&telemetry.Batch{
		Host: "web01", Group: "web", Probe: "test", Interval: 15 * time.Second, Boot: "b", Seq: uint64(seq), Time: at,
		Series: []telemetry.Series{{
			Labels: []telemetry.Label{{Name: "__name__", Value: "m"}, {Name: "instance", Value: "web01"}},
			Type:   telemetry.Gauge, Help: "A test.", Unit: "seconds",
			Samples: []telemetry.Sample{{Time: at.UnixMilli(), Value: v}},
		}},
	})
}

func jsonMessage(body string) *bus.Message {
	return &bus.Message{ContentType: telemetry.JSONContentType, Body: []byte(body), Time: now, Headers: map[string]string{"host": "web02"}}
}

// get asks the collector and returns the data of the answer.
func get(t testing.TB, c *collector.Collector, path string, args ...string) any {
	t.Helper()
	q := url.Values{}
	for i := 0; i < len(args); i += 2 {
		q.Add(args[i], args[i+1])
	}
	w := httptest.NewRecorder()
	c.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path+"?"+q.Encode(), nil))
	var answer struct {
		Status, Error string
		Data          any
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || answer.Status != "success" {
		t.Fatalf("%s: %d %s %v", path, w.Code, w.Body, err)
	}
	return answer.Data
}

// value is the result of an instant query with at most one series, "" for none.
// It sees all that the tests have stored, however slow the machine is.
func value(t testing.TB, c *collector.Collector, expr string) string {
	t.Helper()
	return valueAt(t, c, expr, time.Now().Add(time.Minute))
}

func valueAt(t testing.TB, c *collector.Collector, expr string, at time.Time) string {
	t.Helper()
	data := get(t, c, "/api/v1/query", "query", expr, "time", strconv.FormatInt(at.Unix(), 10), "lookback_delta", "1h")
	result := data.(map[string]any)["result"].([]any)
	if len(result) == 0 {
		return ""
	}
	return result[0].(map[string]any)["value"].([]any)[1].(string)
}

func expect(t testing.TB, c *collector.Collector, expr, want string) {
	t.Helper()
	if got := value(t, c, expr); got != want {
		t.Errorf("%s = %q, want %q", expr, got, want)
	}
}

func TestMessageBecomesHistory(t *testing.T) {
	m := newMemoryBus()
	c, reg, _ := start(t, m)
	m.publishAll([]*bus.Message{sample(1, now, 42), jsonMessage(`{"name":"orders_total","labels":{"shop":"7"},"value":3}`)})
	m.waitAcked(t, 2)
	expect(t, c, `m{instance="web01"}`, "42")
	expect(t, c, `orders_total{shop="7"}`, "3")
	want := `
# HELP thump_collector_samples_appended_total Samples stored; repetitions count again.
# TYPE thump_collector_samples_appended_total counter
thump_collector_samples_appended_total{component="collector"} 2
# HELP thump_collector_hosts Hosts known.
# TYPE thump_collector_hosts gauge
thump_collector_hosts{component="collector"} 1
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "thump_collector_samples_appended_total", "thump_collector_hosts"); err != nil {
		t.Error(err)
	}
}

// TestRedelivery loses the link again and again under a collector at work. Each
// sample must be there once, and a broker would not forgive a double ack.
func TestRedelivery(t *testing.T) {
	m := newMemoryBus()
	c, _, _ := start(t, m)
	const n = 2000
	for i := range n {
		m.publishAll([]*bus.Message{sample(i, now.Add(time.Duration(i-n)*time.Second), float64(i%7))})
		if i%97 == 0 {
			m.setDown(true)
			m.setDown(false)
		}
	}
	m.setDown(true)
	m.setDown(false)
	until(t, func() bool { _, _, waiting := m.counts(); return waiting == 0 })
	expect(t, c, "count_over_time(m[1h])", strconv.Itoa(n))
	expect(t, c, "sum_over_time(m[1h])", strconv.Itoa(sumMod7(n)))
}

func sumMod7(n int) (sum int) {
	for i := range n {
		sum += i % 7
	}
	return sum
}

func TestUnreadableIsRejected(t *testing.T) {
	m := newMemoryBus()
	c, reg, _ := start(t, m)
	garbled := *sample(2, now, 2)
	garbled.Body = garbled.Body[:len(garbled.Body)-2]
	text := *sample(3, now, 3)
	text.ContentType = "application/vnd.thump"
	m.publishAll([]*bus.Message{&garbled, sample(1, now, 1), &text, jsonMessage(`{"name":"x"}`)})
	until(t, func() bool {
		acked, rejected, waiting := m.counts()
		return acked == 1 && rejected == 3 && waiting == 0
	})
	expect(t, c, "m", "1")
	want := `
# HELP thump_collector_messages_rejected_total Messages rejected to thump.rejected, by reason.
# TYPE thump_collector_messages_rejected_total counter
thump_collector_messages_rejected_total{component="collector",reason="content_type"} 1
thump_collector_messages_rejected_total{component="collector",reason="malformed"} 2
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "thump_collector_messages_rejected_total"); err != nil {
		t.Error(err)
	}
	m.publishAll([]*bus.Message{&garbled}) // the last one of a batch
	until(t, func() bool { _, rejected, _ := m.counts(); return rejected == 4 })
}

// TestRefusedSamples: what history never takes is counted, the rest is kept.
func TestRefusedSamples(t *testing.T) {
	m := newMemoryBus()
	c, reg, _ := start(t, m)
	m.publishAll([]*bus.Message{sample(1, now.Add(-time.Second), 1)})
	m.waitAcked(t, 1)
	m.publishAll([]*bus.Message{
		sample(2, now.Add(-time.Second), 2),  // another value
		sample(3, now.Add(24*time.Hour), 3),  // from the future
		sample(4, now.Add(-30*time.Hour), 4), // out of the window
		sample(5, now.Add(-20*time.Hour), 5), // late
		sample(6, now, 6),
	})
	until(t, func() bool { acked, rejected, _ := m.counts(); return acked >= 4 && rejected == 2 })
	expect(t, c, "count_over_time(m[2d])", "3")
	expect(t, c, "m", "6")
	want := `
# HELP thump_collector_samples_rejected_total Samples that history does not take, by reason.
# TYPE thump_collector_samples_rejected_total counter
thump_collector_samples_rejected_total{component="collector",reason="ahead"} 1
thump_collector_samples_rejected_total{component="collector",reason="duplicate"} 1
thump_collector_samples_rejected_total{component="collector",reason="too_old"} 1
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "thump_collector_samples_rejected_total"); err != nil {
		t.Error(err)
	}
}

// TestKill copies the data folder of a collector at work, as SIGKILL would leave
// it, and looks in the copy for everything that was acknowledged before.
func TestKill(t *testing.T) {
	m := newMemoryBus()
	_, _, dir := start(t, m)
	published := 0
	for round := range 5 {
		for range 400 {
			m.publishAll([]*bus.Message{sample(published, now.Add(time.Duration(published-3000)*time.Second), 1)})
			published++
		}
		acked, _, _ := m.counts()
		again := m.unacknowledged()
		c := reopened(t, dir, again)
		until(t, func() bool { _, _, waiting := again.counts(); return waiting == 0 })
		if got, _ := strconv.Atoi(value(t, c, "count_over_time(m[2h])")); got < acked || got > published {
			t.Errorf("round %d: %d samples, %d were acknowledged and %d published", round, got, acked, published)
		}
	}
}

// reopened starts a collector on a copy of a folder.
func reopened(t *testing.T, dir string, b bus.Bus) *collector.Collector {
	t.Helper()
	killed := t.TempDir()
	if err := os.CopyFS(killed, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	c := newCollector(t, killed, b, prometheus.NewRegistry())
	run(t, c)
	return c
}

// unsyncedFS fails to sync what was open before, as long as fail is set.
type unsyncedFS struct {
	vfs.OS
	fail atomic.Bool
}

type unsyncedFile struct {
	vfs.File
	fs *unsyncedFS
}

func (fs *unsyncedFS) Open(name string) (vfs.File, error) {
	f, err := fs.OS.Open(name)
	return unsyncedFile{f, fs}, err
}

func (f unsyncedFile) Sync() error {
	if f.fs.fail.Load() {
		return errors.New("input/output error")
	}
	return f.File.Sync()
}

// TestAckFollowsSync: nothing is acknowledged that is not on stable storage, and
// what is stored again for that is there once.
func TestAckFollowsSync(t *testing.T) {
	fs, m, reg := &unsyncedFS{}, newMemoryBus(), prometheus.NewRegistry()
	c := newCollectorOn(t, fs, t.TempDir(), m, reg)
	run(t, c)
	fs.fail.Store(true)
	for i := range 10 {
		m.publishAll([]*bus.Message{sample(i, now.Add(time.Duration(i-10)*time.Second), 1)})
	}
	until(t, func() bool { return metric(t, reg, "thump_collector_storage_failures_total") >= 1 })
	if acked, _, _ := m.counts(); acked != 0 {
		t.Errorf("%d messages acknowledged that are not on stable storage", acked)
	}
	fs.fail.Store(false)
	m.waitAcked(t, 10)
	expect(t, c, "count_over_time(m[1h])", "10")
	if n := metric(t, reg, "thump_collector_samples_appended_total"); n < 20 {
		t.Errorf("%v samples appended: they were not stored again after the sync had failed", n)
	}
}

func TestStop(t *testing.T) {
	m := newMemoryBus()
	dir := t.TempDir()
	c := newCollector(t, dir, m, prometheus.NewRegistry())
	stop := run(t, c)
	m.publishAll([]*bus.Message{sample(1, now, 1)})
	until(t, func() bool { return value(t, c, "m") != "" })
	stop()
	if acked, _, _ := m.counts(); acked != 1 {
		t.Errorf("%d messages acknowledged at the end, want 1", acked)
	}
	w := httptest.NewRecorder()
	c.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/labels", nil))
	if w.Code < 500 {
		t.Errorf("closed history answers %d", w.Code)
	}
	again := newCollector(t, dir, m, prometheus.NewRegistry())
	run(t, again)
	expect(t, again, "m", "1")
}

func TestFolderInUse(t *testing.T) {
	_, _, dir := start(t, newMemoryBus())
	cfg := collector.DefaultConfig()
	cfg.DataDir = dir
	_, err := collector.New(cfg, collector.Deps{Bus: newMemoryBus(), Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry()})
	if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("err = %v, want one that names the folder and the process", err)
	}
}

func TestHosts(t *testing.T) {
	m := newMemoryBus()
	c, _, _ := start(t, m)
	m.publishAll([]*bus.Message{sample(1, now, 1), jsonMessage(`{"name":"x","value":1}`)})
	m.waitAcked(t, 2)
	w := httptest.NewRecorder()
	c.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/hosts", nil))
	var hosts []struct {
		Name, Group     string
		IntervalSeconds float64   `json:"interval_seconds"`
		LastSeen        time.Time `json:"last_seen"`
		Silent          *bool
		LagSeconds      float64 `json:"lag_seconds"`
	}
	dec := json.NewDecoder(bytes.NewReader(w.Body.Bytes()))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&hosts); err != nil {
		t.Fatalf("%s: %v", w.Body, err)
	}
	// web02 did not say when it will report again: it is no host to wait for.
	if len(hosts) != 1 || hosts[0].Name != "web01" || hosts[0].Group != "web" || hosts[0].IntervalSeconds != 15 ||
		time.Since(hosts[0].LastSeen) > time.Minute || *hosts[0].Silent {
		t.Errorf("hosts %s", w.Body)
	}
}

// metric is the value of a counter or a gauge without further labels.
func metric(t testing.TB, reg prometheus.Gatherer, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			m := f.GetMetric()[0]
			return m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}
