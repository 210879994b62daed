package collector

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"

	"thump/internal/bus"
	"thump/internal/roster"
	"thump/internal/telemetry"
)

// still is a bus on which nothing moves.
type still struct {
	bus.Bus
	connected bool
}

func (b *still) Connected() bool { return b.connected }

// quiet is a collector that does not run.
func quiet(t *testing.T, dir string) (*Collector, *still) {
	t.Helper()
	cfg := DefaultConfig()
	cfg.DataDir, cfg.MinFree = dir, 0
	b := &still{connected: true}
	c, err := New(cfg, Deps{Bus: b, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Registerer: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.db.Close(); err != nil {
			t.Error(err)
		}
	})
	return c, b
}

// ups is the values of `up` in the hour before now, oldest first.
func ups(t *testing.T, c *Collector, host string, now time.Time) (values []float64) {
	t.Helper()
	q, err := c.db.Engine().NewInstantQuery(context.Background(), c.db, nil, `up{job="node",group="web",instance="`+host+`"}[1h]`, now)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	m, err := q.Exec(context.Background()).Matrix()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range m {
		for _, p := range s.Floats {
			values = append(values, p.F)
		}
	}
	return values
}

func equal(a []float64, b ...float64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestSilentHost(t *testing.T) {
	c, _ := quiet(t, t.TempDir())
	start := time.Now()
	web := &telemetry.Origin{Host: "web01", Group: "web", Interval: 15 * time.Second}
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	c.hosts.resume(start)
	c.hosts.seen(web, start)
	for s := 1; s <= 20; s++ {
		c.mark(t.Context(), at(s))
	}
	if got := ups(t, c, "web01", at(20)); len(got) > 0 {
		t.Errorf("up %v while the host is within its interval and grace", got)
	}
	for s := 21; s <= 52; s++ {
		c.mark(t.Context(), at(s))
	}
	if got := ups(t, c, "web01", at(52)); !equal(got, 0, 0, 0) {
		t.Errorf("up %v, want 0 at 21, 36 and 51 s", got)
	}
	if known, silent, _ := c.hosts.count(); known != 1 || silent != 1 {
		t.Errorf("%d hosts, %d silent", known, silent)
	}
	c.hosts.seen(web, at(55))
	for s := 55; s <= 75; s++ {
		c.mark(t.Context(), at(s))
	}
	if got := ups(t, c, "web01", at(75)); !equal(got, 0, 0, 0) {
		t.Errorf("up %v after the host is back", got)
	}
	if _, silent, _ := c.hosts.count(); silent != 0 {
		t.Errorf("%d silent after the host is back", silent)
	}
}

func TestDeaf(t *testing.T) {
	c, b := quiet(t, t.TempDir())
	b.connected = false
	if !c.deaf() {
		t.Error("hears without a link")
	}
	b.connected = true
	if c.deaf() {
		t.Error("deaf with a link")
	}
	c.ingest.stuck.Store(true)
	if !c.deaf() {
		t.Error("counts silence while messages wait for history")
	}
}

// TestSilenceCountsFromResume: a broker that is away for longer than every interval makes
// no host silent.
func TestSilenceCountsFromResume(t *testing.T) {
	c, _ := quiet(t, t.TempDir())
	start := time.Now()
	c.hosts.seen(&telemetry.Origin{Host: "web01", Group: "web", Interval: time.Second}, start)
	back := start.Add(time.Minute)
	c.hosts.resume(back)
	c.mark(t.Context(), back.Add(5*time.Second))
	if got := ups(t, c, "web01", back.Add(time.Minute)); len(got) > 0 {
		t.Errorf("up %v right after the link was back", got)
	}
	c.mark(t.Context(), back.Add(7*time.Second))
	if got := ups(t, c, "web01", back.Add(time.Minute)); !equal(got, 0) {
		t.Errorf("up %v, want 0", got)
	}
}

func TestRosterSurvivesRestart(t *testing.T) {
	c, _ := quiet(t, t.TempDir())
	start := time.Now().Add(-3 * time.Hour).Truncate(time.Second)
	report := func(host string, at time.Time) { writeUp(t, c, host, at) }
	report("gone", start)
	for now := start.Add(time.Hour); now.Before(start.Add(3 * time.Hour)); now = now.Add(time.Minute) {
		if err := appendDown(t.Context(), c.db, hostsNamed("gone"), now); err != nil {
			t.Fatal(err)
		}
	}
	now := start.Add(3 * time.Hour)
	report("fast", now.Add(-10*time.Second))
	report("fast", now.Add(-8*time.Second))
	report("slow", now.Add(-2*time.Minute))
	report("slow", now.Add(-1*time.Minute))
	report("once", now.Add(-30*time.Minute))
	report("forgotten", start.Add(time.Minute))

	h := newHosts(now)
	if err := h.seed(t.Context(), c.db, now); err != nil {
		t.Fatal(err)
	}
	want := []struct {
		name     string
		interval time.Duration
		seen     time.Time
	}{
		{"fast", 15 * time.Second, now.Add(-8 * time.Second)},
		{"gone", longestSeed, start},
		{"once", longestSeed, now.Add(-30 * time.Minute)},
		{"slow", time.Minute, now.Add(-time.Minute)},
	}
	got := h.states()
	if len(got) != len(want) {
		t.Fatalf("hosts %+v, want %+v", got, want)
	}
	for i, w := range want {
		if g := got[i]; g.Name != w.name || g.Interval != w.interval || !g.LastSeen.Equal(w.seen) || g.Group != "web" || g.Silent {
			t.Errorf("host %+v, want %+v", g, w)
		}
	}
	h.seen(&telemetry.Origin{Host: "fast", Group: "web", Interval: 20 * time.Second}, now)
	if got := h.states()[0]; got.Interval != 20*time.Second {
		t.Errorf("interval %s of a host that said 20s", got.Interval)
	}
	if fell, _ := h.down(now.Add(time.Second)); len(fell) > 0 {
		t.Errorf("%+v are silent before they can have been heard", fell)
	}
}

// writeUp stores the sample by which an agent says that it reports.
func writeUp(t *testing.T, c *Collector, host string, at time.Time) {
	t.Helper()
	err := c.db.Append(t.Context(), func(app storage.Appender, _ int) error {
		_, err := app.Append(0, labels.FromStrings("__name__", "up", "group", "web", "instance", host, "job", "node"), at.UnixMilli(), 1)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func hostsNamed(name string) []roster.Host { return []roster.Host{{Name: name, Group: "web"}} }

// A message that comes again after its host was retired says nothing of the host;
// one that comes for the first time brings it back.
func TestRetiredHostStaysAwayFromRepetitions(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	h := newHosts(now)
	d := &bus.Delivery{Message: *new(telemetry.Encoder).Encode(&telemetry.Batch{Host: "web01", Group: "web", Probe: "cpu", Interval: time.Second, Time: now})}
	h.arrived(d, now)
	h.retire("web01", now)
	d.Redelivered = true
	h.arrived(d, now.Add(time.Second))
	if known, _, _ := h.count(); known != 0 {
		t.Error("a repeated message brought the host back")
	}
	d.Redelivered = false
	h.arrived(d, now.Add(2*time.Second))
	d.Redelivered = true
	h.arrived(d, now.Add(3*time.Second))
	if known, _, _ := h.count(); known != 1 {
		t.Error("the host reports and is not back")
	}
}
