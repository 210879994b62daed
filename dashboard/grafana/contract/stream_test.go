package contract

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// TestFramesFollowWithin200ms measures from just before publish to the frame in
// Grafana's hands.
func TestFramesFollowWithin200ms(t *testing.T) {
	p := up(t)
	panel := start(t).configure(p.settings()).follow(`{"expr":"orders{instance=\"till7\"} * 10","live":true,"legendFormat":"{{instance}}"}`)
	panel.until("the stream begins", func(f *data.Frame) bool { return len(f.Meta.Notices) == 0 })
	var took []time.Duration
	for i := range 21 {
		began := time.Now()
		p.orders(float64(i))
		f := panel.until("the point", shows(float64(10*i)))
		took = append(took, time.Since(began))
		if name := f.Fields[1].Config.DisplayNameFromDS; name != "till7" {
			t.Fatalf("the series is called %q", name)
		}
		time.Sleep(100 * time.Millisecond) // a moment of quiet, as between two measurements
	}
	slices.Sort(took)
	t.Logf("publish to frame: median %v, worst %v", took[len(took)/2], took[len(took)-1])
	if took[len(took)/2] > 200*time.Millisecond {
		t.Errorf("the median is %v, want less than 200 ms", took[len(took)/2])
	}
}

// TestPanelsShareAConnectionAndHaveTheirOwnQueues looks at the broker, and at what
// the live boost makes of the host.
func TestPanelsShareAConnectionAndHaveTheirOwnQueues(t *testing.T) {
	p := up(t)
	c := start(t).configure(p.settings())
	host, _ := os.Hostname()
	var panels []*panel
	for i := range 3 {
		query, _ := json.Marshal(map[string]any{"live": true, "expr": fmt.Sprintf("node_load1{instance=%q} + %d", host, i), "key": "*." + word(host) + ".load"})
		panels = append(panels, c.follow(string(query)))
	}
	eventually(t, "one connection, three queues", func() error { return p.links(1, 3) })
	first := panels[0].until("a point", func(f *data.Frame) bool { return f.Rows() > 0 })
	next := panels[0].until("another", func(f *data.Frame) bool { return f.Rows() > 0 && at(f).After(at(first).Add(10*time.Millisecond)) })
	third := panels[0].until("a third", func(f *data.Frame) bool { return f.Rows() > 0 && at(f).After(at(next).Add(10*time.Millisecond)) })
	if gap := at(third).Sub(at(next)); gap > 5*time.Second { // 10 s without the boost
		t.Errorf("two points are %v apart, want about a second", gap)
	}
	panels[0].close()
	eventually(t, "two queues", func() error { return p.links(1, 2) })
	panels[1].close()
	panels[2].close()
	eventually(t, "nothing is left", func() error { return p.links(0, 0) })
}

func at(f *data.Frame) time.Time {
	t, _ := f.Fields[0].At(f.Rows() - 1).(time.Time)
	return t
}

func word(s string) string { return strings.ReplaceAll(s, ".", "_") }

// links compares what the broker has of Grafana with what is wanted.
func (p *pipeline) links(connections, queues int) error {
	var conns []struct {
		Properties struct {
			Name string `json:"connection_name"`
		} `json:"client_properties"`
	}
	var all []struct {
		Name      string
		Exclusive bool
	}
	for path, into := range map[string]any{"/api/connections": &conns, "/api/queues": &all} {
		body, err := fetch("http://" + p.management + path)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(body, into); err != nil {
			return err
		}
	}
	ours, keyed := 0, 0
	for _, c := range conns {
		if c.Properties.Name == "grafana thump" {
			ours++
		}
	}
	for _, q := range all {
		if q.Exclusive && p.bound(q.Name) {
			keyed++
		}
	}
	if ours != connections || keyed != queues {
		return fmt.Errorf("%d connections and %d queues, want %d and %d", ours, keyed, connections, queues)
	}
	return nil
}

// bound tells whether a queue is bound to the topic exchange by a panel's key.
func (p *pipeline) bound(queue string) bool {
	body, err := fetch("http://" + p.management + "/api/queues/%2F/" + queue + "/bindings")
	return err == nil && strings.Contains(string(body), "thump.metrics.topic")
}

// TestFiftyPanels measures the plugin under 50 live panels of one host; it runs by
// `make bench-grafana`.
func TestFiftyPanels(t *testing.T) {
	if os.Getenv("THUMP_BENCH") == "" {
		t.Skip("a measurement: make bench-grafana")
	}
	const panelsOpen, seconds = 50, 20
	p := up(t)
	g := start(t)
	c := g.configure(p.settings())
	host, _ := os.Hostname()
	var panels []*panel
	for i := range panelsOpen {
		query, _ := json.Marshal(map[string]any{"live": true, "expr": fmt.Sprintf(`sum by (mode) (rate(node_cpu_seconds_total{instance=%q}[1m])) + %d`, host, i)})
		panels = append(panels, c.follow(string(query)))
	}
	for _, one := range panels {
		one.until("a point", func(f *data.Frame) bool { return f.Rows() > 0 })
	}
	pid := g.process.ReattachConfig().Pid
	before, began := cpuSeconds(t, pid), time.Now()
	var late []time.Duration
	frames := 0
	for time.Since(began) < seconds*time.Second {
		for _, one := range panels {
			select {
			case f := <-one.frames:
				if f.Rows() > 0 {
					frames, late = frames+1, append(late, time.Since(at(f)))
				}
			default:
			}
		}
		time.Sleep(time.Millisecond)
	}
	used := cpuSeconds(t, pid) - before
	slices.Sort(late)
	if len(late) == 0 {
		t.Fatal("no frame")
	}
	perCore := 100 * used / time.Since(began).Seconds()
	t.Logf("%d panels, %d frames in %d s: %.2f CPU s (%.1f %% of a core), %d MiB resident; from measurement to frame: median %v, p99 %v",
		panelsOpen, frames, seconds, used, perCore, resident(t, pid)>>20, late[len(late)/2], late[len(late)*99/100])
	if perCore > 25 || resident(t, pid) > 256<<20 {
		t.Errorf("more than a quarter of a core, or 256 MiB")
	}
}

func cpuSeconds(t *testing.T, pid int) float64 {
	t.Helper()
	fields := strings.Fields(proc(t, pid, "stat"))
	user, _ := strconv.ParseFloat(fields[13], 64)
	system, _ := strconv.ParseFloat(fields[14], 64)
	return (user + system) / 100 // USER_HZ
}

func resident(t *testing.T, pid int) int64 {
	t.Helper()
	pages, _ := strconv.ParseInt(strings.Fields(proc(t, pid, "statm"))[1], 10, 64)
	return pages * int64(os.Getpagesize())
}

func proc(t *testing.T, pid int, file string) string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	if err != nil {
		t.Skip("needs Linux: ", err)
	}
	return string(b)
}
