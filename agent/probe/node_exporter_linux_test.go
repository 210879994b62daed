package probe

import (
	"bufio"
	"io"
	"math"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"thump/internal/telemetry"
)

// TestAgainstNodeExporter compares with a real node_exporter on this host, run
// with our defaults of what to leave out: of every metric that both have, the
// type and the series are the same, and the values lie between those that we
// read before and after.
func TestAgainstNodeExporter(t *testing.T) {
	url := startNodeExporter(t, nodeExporter(t),
		"--collector.filesystem.mount-points-exclude="+ignoredMountpoints.String(),
		"--collector.filesystem.fs-types-exclude="+ignoredFilesystems.String(),
		"--collector.diskstats.device-exclude="+ignoredBlockDevices.String(),
		"--collector.netdev.device-exclude=",
		"--collector.netstat.fields="+netstatWanted.String(),
		"--collector.vmstat.fields="+vmstatWanted.String(),
		"--collector.stat.softirq",
		"--collector.processes", "--collector.tcpstat")
	readHost(t) // one run before counts, for buffers that grow
	before := readHost(t)
	theirs, types := scrape(t, url)
	after := readHost(t)
	if len(theirs) < 300 {
		t.Fatalf("node_exporter has only %d series", len(theirs))
	}
	compareSeries(t, before, theirs, types)
	compareValues(t, before, theirs, after)
}

// nodeExporter is Debian's; in CI it must be there.
func nodeExporter(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("prometheus-node-exporter")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("no prometheus-node-exporter on this host")
		}
		t.Skip("no prometheus-node-exporter on this host")
	}
	return path
}

func startNodeExporter(t *testing.T, path string, args ...string) (url string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), path, append(args, "--web.listen-address=127.0.0.1:0")...)
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	listening := regexp.MustCompile(`msg="Listening on" address=(\S+)`)
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		if m := listening.FindStringSubmatch(lines.Text()); m != nil {
			go io.Copy(io.Discard, log)
			return "http://" + m[1] + "/metrics"
		}
	}
	t.Fatal("node_exporter does not listen")
	return ""
}

// readHost runs every probe of the kernel's once.
func readHost(t *testing.T) map[string]telemetry.Series {
	t.Helper()
	all := map[string]telemetry.Series{}
	for _, p := range open(t, Options{}) {
		if p.Name() == "systemd" { // has a test of its own, since not every host does
			continue
		}
		s := NewSink(nil)
		if err := p.Collect(t.Context(), reset(s)); err != nil {
			t.Fatal(err)
		}
		for _, series := range s.Series() {
			all[text(series)] = series
		}
	}
	return all
}

func scrape(t *testing.T, url string) (series map[string]float64, types map[string]string) {
	t.Helper()
	client := http.Client{Timeout: 10 * time.Second}
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	series, types = map[string]float64{}, map[string]string{}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		line := lines.Text()
		if f := strings.Fields(line); len(f) == 4 && f[1] == "TYPE" {
			types[f[2]] = f[3]
		}
		i := strings.LastIndexByte(line, ' ')
		if v, err := strconv.ParseFloat(line[i+1:], 64); err == nil && strings.HasPrefix(line, "node_") {
			series[line[:i]] = v
		}
	}
	return series, types
}

func typeName(t telemetry.Type) string {
	return map[telemetry.Type]string{telemetry.Counter: "counter", telemetry.Gauge: "gauge", telemetry.Unspecified: "untyped"}[t]
}

func metric(series string) string {
	name, _, _ := strings.Cut(series, "{")
	return name
}

// explained are the differences in what metrics there are; any other fails.
var explained = []struct {
	metric *regexp.Regexp
	ours   bool // that we have and node_exporter lacks; else the other way
	why    string
}{
	{regexp.MustCompile(`^node_(exporter_build_info|scrape_collector_.*)$`), false, "what it says of itself: our probes report under their own names"},
	{regexp.MustCompile(`^node_processes_threads_state$`), false, "costs a walk through every thread"},
	{regexp.MustCompile(`^node_softnet_(backlog_len|cpu_collision_total|flow_limit_count_total|received_rps_total)$`), true, "of a later node_exporter than Debian 12's"},
	{regexp.MustCompile(`^thump_`), true, "node_exporter has nothing like it"},
}

// explains tells why only one side has a metric, which it prints.
func explains(t *testing.T, metric string, ours bool) bool {
	t.Helper()
	for _, e := range explained {
		if e.ours == ours && e.metric.MatchString(metric) {
			t.Logf("%-50s only %s: %s", metric, map[bool]string{true: "here", false: "in node_exporter"}[ours], e.why)
			return true
		}
	}
	return false
}

// comeAndGo are series that exist while something is in a state.
var comeAndGo = regexp.MustCompile(`^node_(processes_state|tcp_connection_states)`)

// unknownSpeed: a device that does not know its speed has none here.
const unknownSpeed = -125000

func compareSeries(t *testing.T, ours map[string]telemetry.Series, theirs map[string]float64, types map[string]string) {
	t.Helper()
	have := map[string]bool{}
	for _, s := range ours {
		have[s.Name()] = true
	}
	known := map[string]bool{} // by them, of at least one device
	for name, v := range theirs {
		known[metric(name)] = known[metric(name)] || v != unknownSpeed
	}
	for name := range types {
		if !known[name] {
			continue
		}
		if strings.HasPrefix(name, "node_") && !have[name] && !explains(t, name, false) {
			t.Errorf("we lack metric %s", name)
		}
	}
	for name, v := range theirs {
		if _, ok := ours[name]; !ok && have[metric(name)] && v != unknownSpeed && !comeAndGo.MatchString(name) {
			t.Errorf("we lack %s", name)
		}
	}
	shared, lacking := map[string]bool{}, map[string]bool{}
	for name, s := range ours {
		theirType, ok := types[s.Name()]
		if !ok {
			lacking[s.Name()] = true
			continue
		}
		shared[s.Name()] = true
		if _, ok := theirs[name]; !ok && !comeAndGo.MatchString(name) {
			t.Errorf("node_exporter lacks %s", name)
		}
		ourType := typeName(s.Type)
		if ourType != theirType {
			t.Errorf("%s is a %s, node_exporter says %s", s.Name(), ourType, theirType)
		}
	}
	for name := range lacking {
		if !explains(t, name, true) {
			t.Errorf("node_exporter lacks metric %s", name)
		}
	}
	if len(shared) < 100 {
		t.Errorf("only %d metrics in common", len(shared))
	}
	t.Logf("%d metrics in common", len(shared))
}

// restless are gauges that any two readings may see far apart.
var restless = regexp.MustCompile(`^node_(memory_|procs_|disk_io_now|timex_|filesystem_(free|avail|files_free)|filefd_allocated|entropy_available|sockstat_|tcp_connection_states|udp_queues|processes_|netstat_Tcp_CurrEstab|arp_|nf_conntrack_entries|cpu_scaling_frequency|hwmon_|thermal)`)

// fixed are those among them that do not move.
var fixed = regexp.MustCompile(`^node_memory_(MemTotal|SwapTotal|CommitLimit|HugePages_|Hugepagesize|Vmalloc(Total|Chunk)|DirectMap1G)`)

func compareValues(t *testing.T, before map[string]telemetry.Series, theirs map[string]float64, after map[string]telemetry.Series) {
	t.Helper()
	compared := 0
	for name, v := range theirs {
		b, ok := before[name]
		a, still := after[name]
		if !ok || !still {
			continue
		}
		low, high := b.Samples[0].Value, a.Samples[0].Value
		low, high = min(low, high), max(low, high)
		if restless.MatchString(name) && !fixed.MatchString(name) {
			// Same order of magnitude: a wrong unit is what this is to find.
			slack := 1000.0
			if strings.Contains(name, "_bytes") {
				slack = 64 << 20
			}
			low, high = low/4-slack, high*4+slack
		}
		compared++
		if slack := 1e-9 * math.Abs(v); v < low-slack || v > high+slack {
			t.Errorf("%s is %v, we say %v before and %v after", name, v, b.Samples[0].Value, a.Samples[0].Value)
		}
	}
	t.Logf("%d series compared", compared)
}
