package dashboard_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"thump/dashboard"
	"thump/internal/bus"
	"thump/internal/control"
	"thump/internal/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stage is a running dashboard with a server before it.
type stage struct {
	t      *testing.T
	bus    *memoryBus
	reg    *prometheus.Registry
	server *httptest.Server
	end    context.CancelFunc
	ended  chan error
	enc    telemetry.Encoder
}

func start(t *testing.T, change func(*dashboard.Config)) *stage {
	t.Helper()
	cfg := dashboard.DefaultConfig()
	if change != nil {
		change(&cfg)
	}
	s := &stage{t: t, bus: &memoryBus{}, reg: prometheus.NewRegistry(), ended: make(chan error, 1)}
	d, err := dashboard.New(cfg, dashboard.Deps{Bus: s.bus, Logger: slog.New(slog.DiscardHandler), Registerer: s.reg})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	s.end = cancel
	go func() { s.ended <- d.Run(ctx) }()
	s.server = httptest.NewServer(d.Handler())
	t.Cleanup(func() {
		cancel()
		s.server.Close() // waits for the streams, which end with Run
		if err := <-s.ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	// Metrics are subscribed to last.
	s.waitFor("the subscription", func() bool {
		return slices.Contains(s.bus.subscription().Bindings, bus.Binding{Source: telemetry.MetricsExchange})
	})
	return s
}

func (s *stage) waitFor(what string, ok func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("waited in vain for %s", what)
		}
	}
}

func (s *stage) publish(host, probe string, at int64, list ...telemetry.Series) {
	s.t.Helper()
	m := s.enc.Encode(&telemetry.Batch{
		Host: host, Group: "web", Probe: probe, Interval: 5 * time.Second, Time: time.UnixMilli(at), Series: list,
	})
	if err := s.bus.Publish(s.t.Context(), telemetry.MetricsExchange, m); err != nil {
		s.t.Fatal(err)
	}
}

// metric is the sum of a metric of the dashboard.
func (s *stage) metric(name string) float64 {
	s.t.Helper()
	families, err := s.reg.Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

// event is one event of a stream.
type event struct {
	id, name string
	data     map[string]any
}

// reader is a browser.
type reader struct {
	t    *testing.T
	body io.ReadCloser
	in   *bufio.Scanner
}

func (s *stage) open(host string) *reader {
	s.t.Helper()
	res, err := http.Get(s.server.URL + "/api/live?host=" + url.QueryEscape(host))
	if err != nil {
		s.t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK {
		s.t.Fatalf("status %d", res.StatusCode)
	}
	s.t.Cleanup(func() { res.Body.Close() })
	r := &reader{t: s.t, body: res.Body, in: bufio.NewScanner(res.Body)}
	r.in.Buffer(nil, 16<<20)
	return r
}

// next reads one event; nil at the end of the stream.
func (r *reader) next() *event {
	var e event
	for r.in.Scan() {
		field, value, _ := strings.Cut(r.in.Text(), ": ")
		switch field {
		case "id":
			e.id = value
		case "event":
			e.name = value
		case "data":
			if err := json.Unmarshal([]byte(value), &e.data); err != nil {
				r.t.Fatalf("event %s: %v: %.100s", e.name, err, value)
			}
		case "":
			if e.name != "" {
				return &e
			}
		}
	}
	return nil
}

// await reads up to the next event of a name.
func (r *reader) await(name string) *event {
	r.t.Helper()
	watch := time.AfterFunc(10*time.Second, func() { r.body.Close() })
	defer watch.Stop()
	for {
		e := r.next()
		if e == nil {
			r.t.Fatalf("the stream ended before an event %q", name)
		}
		if e.name == name {
			return e
		}
	}
}

func firstRow(t *testing.T, e *event) map[string]any {
	t.Helper()
	rows, _ := e.data["hosts"].([]any)
	if len(rows) != 1 {
		t.Fatalf("%d rows in %v, want 1", len(rows), e.data)
	}
	row, _ := rows[0].(map[string]any)
	return row
}

func TestSubscribesToItsOwnQueue(t *testing.T) {
	sub := start(t, nil).bus.subscription()
	if sub.Queue != "" || !sub.NoAck {
		t.Errorf("queue %q, without acknowledgement %v; want a server-named queue without", sub.Queue, sub.NoAck)
	}
}

func TestSnapshotComesFirst(t *testing.T) {
	s := start(t, nil)
	s.publish("web01", "load", 1000, series("node_load1", 1000, 0.5))
	s.waitFor("the message", func() bool { return s.metric("thump_dashboard_samples_total") == 1 })
	e := s.open("").next()
	if e.name != "snapshot" || e.id == "" {
		t.Fatalf("first event %q with id %q, want a snapshot with an id", e.name, e.id)
	}
	row := firstRow(t, e)
	if row["name"] != "web01" || row["group"] != "web" || row["load"] != 0.5 || row["interval"] != 5000.0 {
		t.Errorf("row %v", row)
	}
	if row["cpu"] != nil || row["memory"] != nil {
		t.Errorf("row %v, want null for what is not known", row)
	}
}

func TestOverviewRowIsMadeOfCountersAndGauges(t *testing.T) {
	s := start(t, nil)
	r := s.open("")
	cpu := func(at int64, idle, user float64) {
		s.publish("web01", "cpu", at,
			series("node_cpu_seconds_total", at, idle, "cpu", "0", "mode", "idle"),
			series("node_cpu_seconds_total", at, user, "cpu", "0", "mode", "user"))
	}
	network := func(at int64, eth0, lo float64) {
		s.publish("web01", "network", at,
			series("node_network_receive_bytes_total", at, eth0, "device", "eth0"),
			series("node_network_receive_bytes_total", at, lo, "device", "lo"))
	}
	cpu(1000, 100, 50)
	cpu(6000, 103, 51) // 3 idle of 4
	network(1000, 900_000, 0)
	network(6000, 50_000, 1e9) // the counter was reset, lo does not count
	s.publish("web01", "memory", 6000,
		series("node_memory_MemTotal_bytes", 6000, 1000), series("node_memory_MemAvailable_bytes", 6000, 400))
	s.publish("web01", "filesystem", 6000,
		series("node_filesystem_size_bytes", 6000, 100, "mountpoint", "/", "fstype", "ext4"),
		series("node_filesystem_avail_bytes", 6000, 75, "mountpoint", "/", "fstype", "ext4"),
		series("node_filesystem_size_bytes", 6000, 100, "mountpoint", "/var", "fstype", "xfs"),
		series("node_filesystem_avail_bytes", 6000, 10, "mountpoint", "/var", "fstype", "xfs"),
		series("node_filesystem_size_bytes", 6000, 100, "mountpoint", "/run", "fstype", "tmpfs"),
		series("node_filesystem_avail_bytes", 6000, 0, "mountpoint", "/run", "fstype", "tmpfs"))
	row := map[string]any{}
	for row["disk"] == nil {
		row = firstRow(t, r.await("hosts"))
	}
	want := map[string]any{"cpu": 0.25, "memory": 0.6, "disk": 0.9, "disk_at": "/var", "receive": 10_000.0, "cores": 1.0}
	for name, v := range want {
		if row[name] != v {
			t.Errorf("%s is %v, want %v", name, row[name], v)
		}
	}
}

func TestHostStreamHasAllSeriesOfThatHostOnly(t *testing.T) {
	s := start(t, nil)
	s.publish("web01", "load", 1000, series("node_load1", 1000, 1, "instance", "web01", "group", "web", "job", "node"))
	s.waitFor("the message", func() bool { return s.metric("thump_dashboard_samples_total") == 1 })
	r := s.open("web01")
	known, _ := r.next().data["series"].([]any)
	if len(known) != 1 {
		t.Fatalf("snapshot with series %v, want node_load1 alone", known)
	}
	load1, _ := known[0].([]any)
	if labels, _ := load1[2].(map[string]any); load1[1] != "node_load1" || len(labels) != 0 || load1[3] != 1000.0 || load1[4] != 1.0 {
		t.Errorf("series %v", load1)
	}
	s.publish("db01", "load", 2000, series("node_load1", 2000, 7))
	s.publish("web01", "load", 2000, series("node_load1", 2000, 2, "instance", "web01", "group", "web", "job", "node"),
		series("orders_total", 2000, 3, "shop", "7"))
	e := r.await("samples")
	if e.data["host"] != "web01" || e.data["probe"] != "load" || e.data["time"] != 2000.0 || e.data["interval"] != 5000.0 {
		t.Errorf("samples %v", e.data)
	}
	fresh, _ := e.data["series"].([]any)
	if len(fresh) != 1 {
		t.Fatalf("definitions %v, want that of orders_total alone", fresh)
	}
	orders, _ := fresh[0].([]any)
	values, _ := e.data["values"].([]any)
	if len(values) != 4 || values[0] != load1[0] || values[1] != 2.0 || values[2] != orders[0] || values[3] != 3.0 {
		t.Errorf("values %v of load1 %v and orders %v", values, load1, orders)
	}
}

func TestLateBacklogChangesNothing(t *testing.T) {
	s := start(t, nil)
	r := s.open("web01")
	s.publish("web01", "load", 9000, series("node_load1", 9000, 2))
	s.publish("web01", "load", 1000, series("node_load1", 1000, 1))
	s.publish("web01", "load", 10_000, series("node_load1", 10_000, 3))
	r.await("samples")
	if e := r.await("samples"); e.data["time"] != 10_000.0 {
		t.Errorf("samples of %v, want 10000 next", e.data["time"])
	}
}

// Who has the overview or the host's page open gets a snapshot without it; other
// messages on the key, and nonsense, harm nothing.
func TestRetiredHostIsForgotten(t *testing.T) {
	s := start(t, nil)
	for _, name := range []string{"web01", "web02"} {
		s.publish(name, "load", 1000, series("node_load1", 1000, 1))
	}
	s.waitFor("the messages", func() bool { return s.metric("thump_dashboard_samples_total") == 2 })
	all, one := s.open(""), s.open("web01")
	all.await("snapshot")
	one.await("snapshot")
	m, err := control.EncodeRetired(&control.Retired{Host: "web01", Group: "web", At: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	nonsense, unknown := *m, *m
	nonsense.Body, unknown.Type = []byte("{}"), "fleet.renamed"
	unknown.Body = []byte(`{"host":"web02"}`)
	for _, m := range []*bus.Message{&nonsense, &unknown, m} {
		if err := s.bus.Publish(t.Context(), telemetry.ControlExchange, m); err != nil {
			t.Fatal(err)
		}
	}
	if row := firstRow(t, all.await("snapshot")); row["name"] != "web02" {
		t.Errorf("still there: %v", row)
	}
	if e := one.await("snapshot"); e.data["host"] != nil {
		t.Errorf("its page still has %v", e.data["host"])
	}
	if n := s.metric("thump_dashboard_hosts"); n != 1 {
		t.Errorf("%v hosts, want 1", n)
	}
	s.publish("web01", "load", 2000, series("node_load1", 2000, 1))
	s.waitFor("its return", func() bool { return s.metric("thump_dashboard_hosts") == 2 })
}

// A value that JSON has no number for is null.
func TestValueThatIsNotFinite(t *testing.T) {
	s := start(t, nil)
	r := s.open("web01")
	s.publish("web01", "odd", 1000, series("odd", 1000, inf()))
	values, _ := r.await("samples").data["values"].([]any)
	if len(values) != 2 || values[1] != nil {
		t.Errorf("values %v, want a null", values)
	}
}

func inf() float64 { zero := 0.0; return 1 / zero }

func TestCutLinkIsToldAndRecovers(t *testing.T) {
	s := start(t, nil)
	r := s.open("")
	s.bus.setCut(true)
	if e := r.await("link"); e.data["up"] != false {
		t.Errorf("link %v, want down", e.data)
	}
	s.bus.setCut(false)
	if e := r.await("link"); e.data["up"] != true {
		t.Errorf("link %v, want up", e.data)
	}
	s.publish("web01", "load", 1000, series("node_load1", 1000, 1))
	r.await("hosts")
}

func TestMessagesThatCannotBeShown(t *testing.T) {
	s := start(t, func(c *dashboard.Config) { c.MaxHosts, c.MaxSeries = 1, 1 })
	r := s.open("web01")
	broken := s.enc.Encode(&telemetry.Batch{Host: "web01"})
	broken.Body = []byte("no snappy")
	if err := s.bus.Publish(t.Context(), telemetry.MetricsExchange, broken); err != nil {
		t.Fatal(err)
	}
	s.publish("", "load", 1000, series("node_load1", 1000, 1))
	s.publish("web01", "load", 1000, series("node_load1", 1000, 1), series("node_load5", 1000, 1))
	s.publish("web02", "load", 1000, series("node_load1", 1000, 1))
	if values, _ := r.await("samples").data["values"].([]any); len(values) != 2 {
		t.Errorf("values %v, want those of one series", values)
	}
	s.waitFor("all to be counted", func() bool { return s.metric("thump_dashboard_messages_total") == 4 })
	for name, want := range map[string]float64{
		"thump_dashboard_hosts": 1, "thump_dashboard_series": 1, "thump_dashboard_not_shown_total": 2,
	} {
		if got := s.metric(name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}

func TestTooManyBrowsersAreRefused(t *testing.T) {
	s := start(t, func(c *dashboard.Config) { c.MaxBrowsers = 1 })
	first := s.open("")
	first.next()
	res, err := http.Get(s.server.URL + "/api/live")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
		t.Errorf("status %d, Retry-After %q; want 503 and some", res.StatusCode, res.Header.Get("Retry-After"))
	}
	first.body.Close()
	s.waitFor("the place to be free", func() bool { return s.metric("thump_dashboard_browsers") == 0 })
	s.open("").next()
}

func TestStreamsEndWithRun(t *testing.T) {
	s := start(t, nil)
	r := s.open("")
	r.next()
	s.end()
	for r.next() != nil {
	}
}

// A browser that does not read loses events of its own, and gets a snapshot once
// it reads again; one that reads gets every event meanwhile.
func TestSlowBrowserLosesOnlyItsOwn(t *testing.T) {
	s := start(t, func(c *dashboard.Config) { c.BrowserQueue = 4 })
	slow := s.dialSlowly("/api/live?host=web01")
	fast := s.open("web01")
	fast.next()
	s.waitFor("both browsers", func() bool { return s.metric("thump_dashboard_browsers") == 2 })
	wide := make([]telemetry.Series, 4000) // 40 KB an event: the buffers of a connection are full soon
	for at := int64(1); s.metric("thump_dashboard_frames_dropped_total") < 10; at++ {
		if at > 2000 {
			t.Fatal("no event was ever dropped")
		}
		for i := range wide {
			wide[i] = series("wide", at, float64(at), "n", strconv.Itoa(i))
		}
		s.publish("web01", "wide", at, wide...)
		if e := fast.await("samples"); e.data["time"] != float64(at) {
			t.Fatalf("the fast browser got %v, want %d", e.data["time"], at)
		}
	}
	in := &reader{t: t, body: slow, in: bufio.NewScanner(slow)}
	in.in.Buffer(nil, 64<<20)
	in.await("snapshot") // the first
	e := in.await("snapshot")
	all, _ := e.data["series"].([]any)
	if len(all) != len(wide) {
		t.Errorf("snapshot of %d series after lost events, want %d", len(all), len(wide))
	}
}

// dialSlowly opens a stream over a connection with a small buffer and reads nothing.
func (s *stage) dialSlowly(path string) net.Conn {
	s.t.Helper()
	c, err := net.Dial("tcp", s.server.Listener.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	if err := c.(*net.TCPConn).SetReadBuffer(64 << 10); err != nil {
		s.t.Fatal(err)
	}
	if _, err := io.WriteString(c, "GET "+path+" HTTP/1.0\r\n\r\n"); err != nil {
		s.t.Fatal(err)
	}
	return c
}
