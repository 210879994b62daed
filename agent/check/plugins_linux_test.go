package check

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"thump/internal/config"
)

const pluginDir = "/usr/lib/nagios/plugins"

// TestPlugins runs Debian's monitoring-plugins-basic unchanged, each by itself
// and through a check: the state is the plugin's exit code, and the perfdata are
// what the plugin prints.
func TestPlugins(t *testing.T) {
	if _, err := os.Stat(filepath.Join(pluginDir, "check_dummy")); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("no monitoring-plugins-basic on this host")
		}
		t.Skip("no monitoring-plugins-basic on this host")
	}
	tests := pluginCommands(t)
	names := map[string]bool{}
	for _, args := range tests {
		names[args[0]] = true
	}
	if len(names) < 46 {
		t.Fatalf("only %d plugins", len(names))
	}
	t.Run("all", func(t *testing.T) { // so that the servers outlive the tests
		for _, args := range tests {
			t.Run(strings.Join(args[:min(len(args), 2)], " "), func(t *testing.T) {
				t.Parallel()
				comparePlugin(t, args)
			})
		}
	})
}

// pluginCommands names every plugin of the package, those for a service with one
// that speaks first as it should, or with none at all.
func pluginCommands(t *testing.T) [][]string {
	t.Helper()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }))
	t.Cleanup(web.Close)
	secure := httptest.NewTLSServer(web.Config.Handler)
	t.Cleanup(secure.Close)
	_, webPort, _ := net.SplitHostPort(web.Listener.Addr().String())
	_, tlsPort, _ := net.SplitHostPort(secure.Listener.Addr().String())
	local := func(plugin, banner string, more ...string) []string {
		return append([]string{plugin, "-H", "127.0.0.1", "-p", banners(t, banner), "-t", "3"}, more...)
	}
	none := func(plugin string, more ...string) []string {
		return append([]string{plugin, "-H", "127.0.0.1", "-p", closedPort(t), "-t", "2"}, more...)
	}
	mrtg := file("mrtg.log", "1700000000 1 2\n1700000000 100 200 300 400\n")
	return [][]string{
		{"check_dummy", "0", "fine"}, {"check_dummy", "1", "a|b=1;2;3"}, {"check_dummy", "2"}, {"check_dummy", "3"},
		{"check_load", "-w", "100,100,100", "-c", "200,200,200"}, {"check_load", "-r", "-w", "0,0,0", "-c", "0,0,0"},
		{"check_disk", "-w", "1%", "-c", "1%", "-p", "/"}, {"check_disk", "-w", "100%", "-c", "100%", "-p", "/", "-p", "/dev/shm"},
		{"check_swap", "-w", "10%", "-c", "5%"}, {"check_users", "-w", "5", "-c", "10"},
		{"check_procs", "-w", "1:5000", "-c", "1:9000"}, {"check_procs", "-C", "no-such-program", "-c", "1:"},
		{"check_file_age", "-f", mrtg, "-w", "3600", "-c", "7200"}, {"check_file_age", "-f", dir + "/missing"},
		{"check_log", "-F", mrtg, "-O", dir + "/seen", "-q", "nothing"},
		{"check_mrtg", "-F", mrtg, "-a", "AVG", "-v", "1", "-w", "50", "-c", "500"}, {"check_mrtgtraf", "-F", mrtg, "-a", "AVG", "-w", "10,10", "-c", "20,20"},
		{"check_cluster", "-h", "-l", "web", "-d", "0,1,0", "-w", "1", "-c", "2"}, {"check_nagios", "-F", mrtg, "-e", "5", "-C", "nagios"},
		{"check_apt", "-t", "25"}, {"check_sensors"}, {"check_ide_smart", "-d", "/dev/null"}, {"check_dhcp", "-i", "lo", "-t", "1"},
		{"check_ping", "-H", "127.0.0.1", "-w", "100,20%", "-c", "200,50%", "-p", "1"},
		{"check_icmp", "-H", "127.0.0.1", "-n", "1"}, {"check_host", "-H", "127.0.0.1", "-n", "1"}, {"check_rta_multi", "-H", "127.0.0.1", "-n", "1"},
		{"check_http", "-I", "127.0.0.1", "-p", webPort, "-s", "hello"}, {"check_http", "-I", "127.0.0.1", "-p", webPort, "-s", "absent"},
		{"check_http", "-S", "-I", "127.0.0.1", "-p", tlsPort, "-C", "14"},
		{"check_tcp", "-H", "127.0.0.1", "-p", webPort, "-w", "5", "-c", "9"}, none("check_tcp"),
		local("check_ftp", "220 ftp\r\n"), local("check_smtp", "220 mail ESMTP\r\n250 mail\r\n", "-t", "1"), local("check_imap", "* OK imap\r\n"),
		local("check_pop", "+OK pop\r\n"), local("check_nntp", "200 news\r\n"), local("check_ssh", "SSH-2.0-OpenSSH_9.2\r\n"),
		local("check_clamd", "PONG\n"), local("check_jabber", "<?xml version='1.0'?><stream:stream xmlns:stream='http://etherx.jabber.org/streams'>"),
		{"check_udp", "-H", "127.0.0.1", "-p", closedPort(t), "-t", "2", "-s", "a", "-e", "b"},
		none("check_simap"), none("check_spop"), none("check_nntps"), none("check_ssmtp"), none("check_ircd"), none("check_real"),
		none("check_time"), none("check_ups", "-u", "x"), none("check_overcr", "-v", "LOAD1"), none("check_nwstat", "-v", "LOAD1"),
		none("check_nt", "-v", "UPTIME"), none("check_ntp"), none("check_ntp_peer"), none("check_ntp_time"),
		none("check_by_ssh", "-C", "true"),
	}
}

// banners is the port of a server that says its line to whoever connects.
func banners(t *testing.T, line string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				io.WriteString(c, line)
				io.Copy(io.Discard, c)
			}()
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// closedPort is one that nobody listens on.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func comparePlugin(t *testing.T, args []string) {
	t.Helper()
	command := append([]string{filepath.Join(pluginDir, args[0])}, args[1:]...)
	c, err := New(Spec{
		Name: "a", Timeout: config.Duration(40e9), Exec: &Exec{Command: command},
	}, Env{})
	if err != nil {
		t.Fatal(err)
	}
	code, before := runPlugin(t, command)
	got, err := collect(t, c)
	if err != nil {
		t.Errorf("%v: %v (it prints %q)", args, err, before)
	}
	if want := float64(min(code, 3)); got[`thump_check_state{check="a"}`] != want {
		t.Errorf("state %v, the plugin ends with %d: %q", got[`thump_check_state{check="a"}`], code, before)
	}
	ours := map[string]float64{}
	for name, v := range got {
		if strings.HasPrefix(name, "nagios_perfdata{") {
			ours[name] = v
		}
	}
	_, after := runPlugin(t, command)
	first, last := printed(t, before), printed(t, after)
	if len(ours) != len(first) {
		t.Errorf("%d values, the plugin prints %d: %q, %v", len(ours), len(first), before, ours)
	}
	for name, low := range first {
		v, found := ours[name]
		high := last[name]
		slack := 0.5*math.Abs(low) + 0.5*math.Abs(high) + 1 // the order of magnitude: it moves
		if !found || v < min(low, high)-slack || v > max(low, high)+slack {
			t.Errorf("%s = %v (%v), the plugin prints %v and %v: %q", name, v, found, low, high, before)
		}
	}
	t.Logf("state %v, %d values: %.100q", got[`thump_check_state{check="a"}`], len(ours), before)
}

func runPlugin(t *testing.T, command []string) (code int, output string) {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Env, cmd.Dir, cmd.Stdout = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "HOME=/"}, "/", &out
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String()
}

var printedValue = regexp.MustCompile(`(?:'([^']+)'|([^\s'|=]+))=([-+0-9.]+)(%|us|ms|s|[KMGT]?B|c)?(?:;|\s|$)`)

// printed reads what a plugin prints in another way than the code does.
func printed(t *testing.T, output string) map[string]float64 {
	t.Helper()
	all := map[string]float64{}
	_, perf, found := strings.Cut(output, "|")
	if !found {
		return all
	}
	for _, m := range printedValue.FindAllStringSubmatch(perf, -1) {
		v, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			t.Fatal(err)
		}
		unit := map[string]string{"s": "seconds", "ms": "seconds", "us": "seconds", "%": "ratio", "B": "bytes", "KB": "bytes", "MB": "bytes", "GB": "bytes", "c": "total"}[m[4]]
		v *= map[string]float64{"": 1, "s": 1, "ms": 1e-3, "us": 1e-6, "%": 0.01, "B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "c": 1}[m[4]]
		name := fmt.Sprintf(`nagios_perfdata{check="a",label="%s"`, m[1]+m[2])
		if unit != "" {
			name += fmt.Sprintf(`,unit="%s"`, unit)
		}
		all[name+"}"] = v
	}
	return all
}
