package check

import (
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const stateOfA = `thump_check_state{check="a"}`

func web(t *testing.T, secure bool) (url, caFile string) {
	t.Helper()
	h := http.NewServeMux()
	h.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "# TYPE up gauge\nup 1\norders_total{shop=\"7\",job=\"x\",pod=\"p\"} 3\ngo_threads 9\n")
	})
	h.HandleFunc("/bad", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "up 1\nup{ 1\n") })
	h.HandleFunc("/slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	h.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/ok", http.StatusFound) })
	h.HandleFunc("/ok", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello %s %s", r.Method, r.Header.Get("X-A"))
	})
	s := httptest.NewUnstartedServer(h)
	if secure {
		s.StartTLS()
		caFile = filepath.Join(t.TempDir(), "ca.pem")
		block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
		if err := os.WriteFile(caFile, block, 0o600); err != nil {
			t.Fatal(err)
		}
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s.URL, caFile
}

func TestScrape(t *testing.T) {
	url, _ := web(t, false)
	got, err := collect(t, open(t, "{name: a, labels: {site: b}, scrape: {url: "+url+"/metrics, drop: 'go_.*', drop_labels: [pod]}}"))
	if err != nil {
		t.Fatal(err)
	}
	compare(t, got, map[string]float64{
		stateOfA: 0, `thump_check_info{check="a",text="2 series"}`: 1,
		`up{job="a",site="b"}`: 1, `orders_total{exported_job="x",job="a",shop="7",site="b"}`: 3,
	})
	for path, want := range map[string]float64{"/bad": 3, "/none": 2, "/slow": 2} {
		got, err := collect(t, open(t, "{name: a, timeout: 500ms, scrape: {url: "+url+path+"}}"))
		if got[stateOfA] != want || (err != nil) != (want == 3) {
			t.Errorf("%s: state %v, error %v, want %v", path, got[stateOfA], err, want)
		}
	}
}

func TestHTTP(t *testing.T) {
	url, _ := web(t, false)
	secure, ca := web(t, true)
	tests := []struct {
		settings string
		want     float64
	}{
		{"url: " + url + "/ok", 0},
		{"url: " + url + "/moved", 0},
		{"url: " + url + "/moved, no_follow: true", 2},
		{"url: " + url + "/moved, no_follow: true, status: [302]", 0},
		{"url: " + url + "/none", 2},
		{"url: " + url + "/ok, match: 'hel+o GET z', headers: {X-A: z}", 0},
		{"url: " + url + "/ok, match: absent", 2},
		{"url: " + url + "/ok, no_match: hello", 2},
		{"url: " + url + "/ok, warn: 1ns", 1},
		{"url: " + url + "/ok, crit: 1ns", 2},
		{"url: " + url + "/slow", 2},
		{"url: " + secure + "/ok", 2},
		{"url: " + secure + "/ok, insecure: true", 0},
		{"url: " + secure + "/ok, ca_file: " + ca, 0},
		{"url: " + secure + "/ok, insecure: true, cert_warn: 60000d", 1},
		{"url: " + secure + "/ok, insecure: true, cert_warn: 60000d, cert_crit: 50000d", 2},
		{"url: 'http://127.0.0.1:1/'", 2},
	}
	for _, tt := range tests {
		got, err := collect(t, open(t, "{name: a, timeout: 500ms, http: {"+tt.settings+"}}"))
		if err != nil || got[stateOfA] != tt.want {
			t.Errorf("%s: state %v, error %v, want %v: %v", tt.settings, got[stateOfA], err, tt.want, got)
		}
	}
	got, _ := collect(t, open(t, "{name: a, http: {url: "+secure+"/ok, ca_file: "+ca+"}}"))
	if got[`thump_http_status_code{check="a"}`] != 200 || got[`thump_tls_expiry_days{check="a"}`] < 1000 || got[`thump_http_duration_seconds{check="a",phase="tls"}`] <= 0 {
		t.Errorf("got %v", got)
	}
}

func TestTLS(t *testing.T) {
	secure, ca := web(t, true)
	plain, _ := web(t, false)
	address := strings.TrimPrefix(secure, "https://")
	for settings, want := range map[string]float64{
		"address: '" + address + "'":                                               2,
		"address: '" + address + "', ca_file: " + ca:                               0,
		"address: '" + address + "', ca_file: " + ca + ", server_name: other.test": 2,
		"address: '" + address + "', insecure: true":                               0,
		"address: '" + address + "', insecure: true, cert_warn: 60000d":            1,
		"address: '" + strings.TrimPrefix(plain, "http://") + "'":                  2,
	} {
		got, err := collect(t, open(t, "{name: a, timeout: 2s, tls: {"+settings+"}}"))
		if err != nil || got[stateOfA] != want {
			t.Errorf("%s: state %v, error %v, want %v: %v", settings, got[stateOfA], err, want, got)
		}
	}
}

func TestTCP(t *testing.T) {
	url, _ := web(t, false)
	address := strings.TrimPrefix(url, "http://")
	for settings, want := range map[string]float64{
		"address: '" + address + "'": 0,
		`address: '` + address + `', send: "GET /ok HTTP/1.0\r\n\r\n", expect: "200 OK(?s).*hello"`: 0,
		`address: '` + address + `', send: "GET /ok HTTP/1.0\r\n\r\n", expect: "absent"`:            2,
		`address: '` + address + `', expect: "never said"`:                                          2,
		"address: '127.0.0.1:1'": 2,
	} {
		got, err := collect(t, open(t, "{name: a, timeout: 500ms, tcp: {"+settings+"}}"))
		if err != nil || got[stateOfA] != want {
			t.Errorf("%s: state %v, error %v, want %v: %v", settings, got[stateOfA], err, want, got)
		}
	}
}

func TestFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "backup.tar")
	if err := os.WriteFile(path, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	for settings, want := range map[string]float64{
		"path: " + path: 0,
		"path: " + dir + "/*.tar, age: {warn: 30m}":            1,
		"path: " + dir + "/*.tar, age: {warn: 30m, crit: 45m}": 2,
		"path: " + path + ", size: {crit: '6:'}":               2,
		"path: " + path + ", size: {warn: '5:5'}":              0,
		"path: " + path + ", absent: true":                     2,
		"path: " + dir + "/none":                               2,
		"path: " + dir + "/none, absent: true":                 0,
	} {
		got, err := collect(t, open(t, "{name: a, file: {"+settings+"}}"))
		if err != nil || got[stateOfA] != want {
			t.Errorf("%s: state %v, error %v, want %v: %v", settings, got[stateOfA], err, want, got)
		}
	}
}

func TestProcess(t *testing.T) {
	for settings, want := range map[string]float64{
		"name: check.test":                          0,
		"name: no-such-program":                     2,
		"name: no-such-program, count: {crit: '0'}": 0,
		"name: check.test, count: {warn: '5:'}":     1,
		"name: check.test, rss: {crit: '1'}":        2,
		"cmdline: no-such-program-on-any-line":      2,
	} {
		got, err := collect(t, open(t, "{name: a, process: {"+settings+"}}"))
		if err != nil || got[stateOfA] != want {
			t.Errorf("%s: state %v, error %v, want %v: %v", settings, got[stateOfA], err, want, got)
		}
	}
	c := open(t, "{name: a, process: {name: check.test}}")
	before, _ := collect(t, c)
	for deadline := time.Now().Add(100 * time.Millisecond); time.Now().Before(deadline); {
	}
	after, _ := collect(t, c)
	const cpu = `thump_process_cpu_seconds_total{check="a"}`
	if before[cpu] != 0 || after[cpu] <= 0 || after[cpu] > 10 {
		t.Errorf("CPU time %v, then %v", before[cpu], after[cpu])
	}
}

func TestPing(t *testing.T) {
	c, err := New(parse(t, "{name: a, timeout: 3s, ping: {host: 127.0.0.1, count: 2}}"), Env{})
	if err != nil {
		if strings.Contains(err.Error(), "ping is not permitted") {
			t.Skip(err)
		}
		t.Fatal(err)
	}
	got, err := collect(t, c)
	if err != nil || got[stateOfA] != 0 || got[`thump_ping_loss_ratio{check="a"}`] != 0 || got[`thump_ping_rtt_seconds{check="a",statistic="mean"}`] <= 0 {
		t.Errorf("error %v, %v", err, got)
	}
}
