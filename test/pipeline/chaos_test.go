package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// counter is a check that counts its own runs, so that each sample it makes has a
// number of its own.
const counter = `#!/bin/sh
n=$(($(cat "$1" 2>/dev/null || echo 0) + 1))
echo $n >"$1.new" && mv "$1.new" "$1"
echo "{\"name\":\"chaos_runs\",\"value\":$n}"
`

// chaosLength is a minute, or what THUMP_CHAOS says, such as 10m.
func chaosLength(t *testing.T) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(cmp.Or(os.Getenv("THUMP_CHAOS"), "1m"))
	if err != nil {
		t.Fatal("THUMP_CHAOS:", err)
	}
	return d
}

// TestChaos kills, cuts off and restarts agents, broker and collector at random
// while agents measure and a publisher publishes without pause. Afterwards history
// holds every sample once: a run is missing only where its agent ended before the
// run did, or where history says that it did not end in time. THUMP_CHAOS is how long, THUMP_CHAOS_SEED repeats the order of events.
func TestChaos(t *testing.T) {
	if os.Getenv("THUMP_LONG_TESTS") == "" {
		t.Skip("takes more than a minute: set THUMP_LONG_TESTS")
	}
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("THUMP_CHAOS_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal("THUMP_CHAOS_SEED:", err)
		}
	}
	length := chaosLength(t)
	t.Logf("THUMP_CHAOS=%s THUMP_CHAOS_SEED=%d", length, seed)
	began := time.Now()
	w := newWorld(t)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(strings.Join(w.log, "\n"))
		}
	})
	events := w.torment(rand.New(rand.NewPCG(seed, 0)), length)
	w.heal()
	t.Logf("%d events: %v", len(w.log), events)

	span := time.Since(began) + 5*time.Minute
	for _, h := range w.hosts {
		h.stop()
		h.forgive()
		h.start()
	}
	runs := 0
	for _, h := range w.hosts {
		eventually(t, 2*time.Minute, "every run of "+h.name+" in history", func() error {
			n, err := h.complete(t.Context(), w.history, span)
			if err == nil {
				runs += n
			}
			return err
		})
	}
	confirmed := w.load.soFar()
	eventually(t, 2*time.Minute, "every confirmed message in history", func() error {
		got, err := raw(t.Context(), w.history, "crash_test", span)
		if err != nil || len(got) != 1 {
			return fmt.Errorf("%d series, %w", len(got), err)
		}
		return compare(t, got[0].Values, confirmed)
	})
	t.Logf("%d runs of checks and %d published samples, each in history once", runs, len(confirmed))
}

// world is what the test torments.
type world struct {
	t                 *testing.T
	broker, collector func() *daemon
	b, c              *daemon
	history           string // URL of the collector
	hosts             []*chaosHost
	load              *recorder
	log               []string
}

// chaosHost is an agent with its way to the broker.
type chaosHost struct {
	t      *testing.T
	name   string
	dir    string
	proxy  *proxy
	agent  *daemon
	missed map[int]bool // runs that may be missing, since the agent ended
}

func newWorld(t *testing.T) *world {
	dir, a := t.TempDir(), ports(t, 4)
	url := "amqp://guest:guest@" + a[0] + "/"
	w := &world{t: t, history: "http://" + a[2]}
	w.broker = func() *daemon {
		return launch(t, "thump", "broker", "--data-dir", dir, "--amqp", a[0], "--http", a[1], "--management", a[3])
	}
	w.collector = func() *daemon {
		return launch(t, "thump", "collector", "--data-dir", dir, "--bus", url, "--http", a[2])
	}
	w.b, w.c = w.broker(), w.collector()
	program := filepath.Join(dir, "count")
	write(t, program, counter)
	if err := os.Chmod(program, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		h := &chaosHost{t: t, name: fmt.Sprintf("chaos%d", i), proxy: newProxy(t, a[0]), missed: map[int]bool{}}
		h.dir = filepath.Join(dir, h.name)
		if err := os.Mkdir(h.dir, 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, h.config(), fmt.Sprintf(`
data_dir: %s
bus: {urls: [%q]}
agent:
  host: %s
  exec: [%s]
  template_from: file
  backlog_rate: 500
  template:
    probes: [{name: agent, interval: 1s}, {name: cpu, interval: 1s}, {name: memory, interval: 1s}, {name: netstat, interval: 1s}]
    checks:
      - {name: runs, interval: 2s, exec: {command: [%s, %s], format: json}}
`, h.dir, h.proxy.url(), h.name, program, program, h.file()))
		h.start()
		w.hosts = append(w.hosts, h)
	}
	w.load = newRecorder(t, newProxy(t, a[0]).url())
	return w
}

func (h *chaosHost) config() string { return filepath.Join(h.dir, "agent.yaml") }
func (h *chaosHost) file() string   { return filepath.Join(h.dir, "runs") }
func (h *chaosHost) start()         { h.agent = launch(h.t, "thump-agent", "run", "--config", h.config()) }
func (h *chaosHost) stop()          { terminate(h.agent) }
func (h *chaosHost) kill()          { h.agent.kill() }

// terminate ends a program the way a service manager does, be it that it has only
// just begun and does not know the signal yet.
func terminate(d *daemon) {
	d.t.Helper()
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	if err := d.wait(30 * time.Second); err != nil && strings.HasPrefix(err.Error(), "still running") {
		d.t.Fatal("after SIGTERM: ", err)
	}
}

// forgive notes the run that the end of the agent may have cut short: the one
// counted last, once no check of this host runs any more.
func (h *chaosHost) forgive() {
	h.t.Helper()
	eventually(h.t, 20*time.Second, "end of the check of "+h.name, func() error {
		commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
		if err != nil {
			return err
		}
		for _, path := range commands {
			if text, err := os.ReadFile(path); err == nil && strings.Contains(string(text), "/count\x00"+h.file()+"\x00") {
				return fmt.Errorf("%s runs", path)
			}
		}
		return nil
	})
	h.missed[h.runs()] = true
}

// runs is how often the check ran.
func (h *chaosHost) runs() int {
	text, err := os.ReadFile(h.file())
	if os.IsNotExist(err) {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

// complete checks that history has each run of the check once.
func (h *chaosHost) complete(ctx context.Context, history string, span time.Duration) (runs int, err error) {
	last := slices.Max(slices.Collect(maps.Keys(h.missed))) // of those that ran before all was well again
	got, err := raw(ctx, history, `chaos_runs{instance="`+h.name+`"}`, span)
	if err != nil || len(got) != 1 {
		return 0, fmt.Errorf("%d series, %w", len(got), err)
	}
	times := map[int]int{}
	for _, p := range got[0].Values {
		n, err := strconv.Atoi(p.value)
		if err != nil {
			return 0, err
		}
		times[n]++
	}
	late, err := h.late(ctx, history, span)
	if err != nil {
		return 0, err
	}
	for n := 1; n <= last; n++ {
		if times[n] == 0 && !h.missed[n] {
			late--
		}
		if times[n] > 1 || late < 0 {
			return 0, fmt.Errorf("run %d of %d is there %d times", n, last, times[n])
		}
	}
	return last, nil
}

// late is how often the check did not end in time, as history says: it has counted
// a run then that has no sample, but a state.
func (h *chaosHost) late(ctx context.Context, history string, span time.Duration) (n int, err error) {
	const unknown = "3"
	got, err := raw(ctx, history, `thump_check_state{check="runs",instance="`+h.name+`"}`, span)
	if err != nil || len(got) != 1 {
		return 0, fmt.Errorf("%d series of states, %w", len(got), err)
	}
	for _, p := range got[0].Values {
		if p.value == unknown {
			n++
		}
	}
	return n, nil
}

// torment lets things happen for a while, one after the other, several at a time
// in effect: a link stays cut while the broker is killed.
func (w *world) torment(r *rand.Rand, length time.Duration) map[string]int {
	count := map[string]int{}
	restore := map[*chaosHost]time.Time{}
	for end := time.Now().Add(length); time.Now().Before(end); {
		h := w.hosts[r.IntN(len(w.hosts))]
		what := []string{"agent killed", "agent restarted", "broker killed", "broker restarted", "collector killed", "link cut", "link cut", "link swallows"}[r.IntN(8)]
		lasts := time.Duration(r.Int64N(int64(6 * time.Second)))
		count[what]++
		w.log = append(w.log, fmt.Sprintf("%s %s %s %s", time.Now().Format("15:04:05.000"), what, h.name, lasts))
		switch what {
		case "agent killed":
			h.kill()
			h.forgive()
			h.start()
		case "agent restarted":
			h.stop()
			h.forgive()
			h.start()
		case "broker killed":
			w.b.kill()
			time.Sleep(lasts / 3)
			w.b = w.broker()
		case "broker restarted":
			terminate(w.b)
			w.b = w.broker()
		case "collector killed":
			w.c.kill()
			w.c = w.collector()
		case "link cut":
			h.proxy.set(cut)
			restore[h] = time.Now().Add(lasts)
		case "link swallows":
			h.proxy.set(swallow)
			restore[h] = time.Now().Add(3 * lasts)
		}
		time.Sleep(time.Duration(r.Int64N(int64(3 * time.Second))))
		for h, at := range restore {
			if time.Now().After(at) {
				h.proxy.set(pass)
				delete(restore, h)
			}
		}
	}
	return count
}

// heal ends what cuts off.
func (w *world) heal() {
	for _, h := range w.hosts {
		h.proxy.set(pass)
	}
}
