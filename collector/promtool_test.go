package collector_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"thump/collector"
	"thump/internal/bus"
)

// served is a collector with two minutes of the series m, behind HTTP.
func served(t *testing.T) (*collector.Collector, *httptest.Server) {
	t.Helper()
	m := newMemoryBus()
	c, _, _ := start(t, m)
	var ms []*bus.Message
	for i := range 9 {
		ms = append(ms, sample(i, now.Add(time.Duration(i-8)*15*time.Second), float64(i)))
	}
	m.publishAll(ms)
	m.waitAcked(t, len(ms))
	s := httptest.NewServer(c.Handler())
	t.Cleanup(s.Close)
	return c, s
}

// TestPromtool drives the API with the promtool of Debian.
func TestPromtool(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("promtool is missing: install the package prometheus")
		}
		t.Skip("promtool is not installed")
	}
	_, s := served(t)
	unix := func(d time.Duration) string { return strconv.FormatInt(now.Add(d).Unix(), 10) }
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"instant", "--time=" + unix(0), s.URL, `m{instance="web01"}`}, `m{instance="web01"} => 8 @[` + unix(0)},
		{[]string{"range", "--start=" + unix(-30*time.Second), "--end=" + unix(0), "--step=15s", s.URL, "m"}, "6 @[" + unix(-30*time.Second) + "]\n7 @[" + unix(-15*time.Second) + "]\n8 @[" + unix(0) + "]"},
		{[]string{"range", "--start=" + unix(-15*time.Second), "--end=" + unix(0), "--step=15s", s.URL, "rate(m[1m])"}, "0.0666"},
		{[]string{"series", "--match=m", s.URL}, `{__name__="m", instance="web01"}`},
		{[]string{"labels", s.URL, "instance"}, "web01"},
	} {
		cmd := exec.CommandContext(t.Context(), promtool, append([]string{"query"}, test.args...)...)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), test.want) {
			t.Errorf("promtool query %s: %v\n%s\nwant %s", strings.Join(test.args, " "), err, out, test.want)
		}
	}
}

// TestAPI asks for every path that Grafana, promtool and others use.
func TestAPI(t *testing.T) {
	_, s := served(t)
	end := strconv.FormatInt(now.Unix(), 10)
	for _, test := range []struct {
		path string
		code int
		want string
	}{
		{"query?query=m&time=" + end, 200, `"value":[` + end},
		{"query?query=m[", 400, `"errorType":"bad_data"`},
		{"query_range?query=m&start=0&end=" + end + "&step=1", 400, "11,000 points"},
		{"query_range?query=m&start=" + end + "&end=" + end + "&step=15", 200, `"resultType":"matrix"`},
		{"series?match[]=m", 200, `"__name__":"m"`},
		{"labels", 200, `["__name__","instance"]`},
		{"label/instance/values", 200, `["web01"]`},
		{"metadata", 200, `{"m":[{"type":"gauge","unit":"seconds","help":"A test."}]}`},
		{"metadata?metric=other", 200, `{}`},
		{"targets/metadata?metric=m", 200, `"type":"gauge"`},
		{"targets", 200, `"activeTargets"`},
		{"scrape_pools", 200, `"bus"`},
		{"alertmanagers", 200, `"activeAlertmanagers":[]`},
		{"query_exemplars?query=m&start=0&end=" + end, 200, `"success"`},
		{"format_query?query=sum(m)by(x)", 200, `sum by (x) (m)`},
		{"parse_query?query=m", 200, `"vectorSelector"`},
		{"status/buildinfo", 200, `"version":"3.15.0"`},
		{"status/runtimeinfo", 200, `"goroutineCount"`},
		{"status/tsdb", 200, `"numSeries":1`},
		{"status/tsdb/blocks", 200, `"blocks"`},
		{"status/config", 200, `"yaml"`},
		{"status/flags", 200, `"success"`},
		{"status/walreplay", 200, `"success"`},
		{"status/self_metrics", 200, `thump_collector`},
		{"features", 200, `"remote_write_receiver":true`},
		{"openapi.yaml", 200, "openapi"},
		{"notifications", 200, `"success"`},
		{"notifications/live", 204, ""},
		{"rules", 200, `"groups":[]`},
		{"alerts", 200, `"alerts":[]`},
		{"nothing", 404, ""},
	} {
		code, body := fetch(t, http.MethodGet, s.URL+"/api/v1/"+test.path)
		if code != test.code || !strings.Contains(body, test.want) {
			t.Errorf("%s: %d %s\nwant %d %s", test.path, code, body, test.code, test.want)
		}
	}
	for _, path := range []string{"write", "otlp/v1/metrics", "admin/tsdb/snapshot"} {
		if code, body := fetch(t, http.MethodPost, s.URL+"/api/v1/"+path); code < 400 {
			t.Errorf("%s: %d %s, want a refusal", path, code, body)
		}
	}
}

func fetch(t *testing.T, method, url string) (code int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var b strings.Builder
	if err := response.Write(&b); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, b.String()
}
