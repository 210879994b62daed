package receive_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/prometheus/client_golang/prometheus"
	pusher "github.com/prometheus/client_golang/prometheus/push"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.uber.org/goleak"
	rpc "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"

	"thump/collector/receive"
	"thump/internal/bus"
	"thump/internal/config"
	"thump/internal/telemetry"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"))
}

// start serves a receiver whose Run lasts as long as the test.
func start(t *testing.T, change func(*receive.Config)) (*memoryBus, string) {
	t.Helper()
	b := newMemoryBus()
	cfg := receive.DefaultConfig()
	if change != nil {
		change(&cfg)
	}
	r, err := receive.New(cfg, receive.Deps{Bus: b, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Registerer: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	r.Register(mux)
	s := httptest.NewServer(mux)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		s.Close()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return b, s.URL
}

// send makes a request; headers are pairs.
func send(t *testing.T, method, url string, body []byte, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer bytes.Buffer
	if _, err := answer.ReadFrom(resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp, answer.String()
}

func expect(t *testing.T, b *memoryBus, want string) {
	t.Helper()
	if got := b.samples(t); got != want {
		t.Errorf("published\n%s\nwant\n%s", got, want)
	}
}

func first(t *testing.T, histogram bool) []byte {
	t.Helper()
	r := prompb.WriteRequest{Timeseries: []prompb.TimeSeries{
		{Labels: []prompb.Label{{Name: "__name__", Value: "up"}, {Name: "instance", Value: "a:9100"}}, Samples: []prompb.Sample{{Value: 1, Timestamp: 1}}},
		{Labels: []prompb.Label{{Name: "__name__", Value: "up"}, {Name: "instance", Value: "b:9100"}}, Samples: []prompb.Sample{{Value: 0, Timestamp: 1}}},
		{Labels: []prompb.Label{{Name: "__name__", Value: "total"}}, Samples: []prompb.Sample{{Value: 2, Timestamp: 1}}},
	}}
	if histogram {
		r.Timeseries[2].Histograms = make([]prompb.Histogram, 1)
	}
	b, err := r.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return snappy.Encode(nil, b)
}

func second(t *testing.T, histogram bool) []byte {
	t.Helper()
	r := writev2.Request{Symbols: []string{"", "__name__", "up"}, Timeseries: []writev2.TimeSeries{
		{LabelsRefs: []uint32{1, 2}, Samples: []writev2.Sample{{Value: 1, Timestamp: 1}, {Value: 2, Timestamp: 2}}},
	}}
	if histogram {
		r.Timeseries[0].Histograms = make([]writev2.Histogram, 1)
	}
	b, err := r.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return snappy.Encode(nil, b)
}

const (
	v1 = "application/x-protobuf"
	v2 = "application/x-protobuf;proto=io.prometheus.write.v2.Request"
)

func TestRemoteWrite(t *testing.T) {
	b, url := start(t, func(c *receive.Config) { c.MaxBody = 1000 })
	const ofFirst = "[] total 2\n[a:9100] up instance=a:9100 1\n[b:9100] up instance=b:9100 0"
	for _, c := range []struct {
		name, contentType, encoding string
		body                        []byte
		code                        int
		written                     string // the header of the samples
		want                        string
	}{
		{"1.0", v1, "snappy", first(t, false), 204, "", ofFirst},
		{"1.0 by name, no encoding", v1 + ";proto=prometheus.WriteRequest", "", first(t, false), 204, "", ofFirst},
		{"2.0", v2, "snappy", second(t, false), 204, "2", "[] up 1\n[] up 2"},
		{"1.0 with a native histogram", v1, "snappy", first(t, true), 400, "", ofFirst},
		{"2.0 with a native histogram", v2, "snappy", second(t, true), 400, "2", "[] up 1\n[] up 2"},
		{"2.0 that is none", v2, "snappy", snappy.Encode(nil, []byte{1, 2, 3}), 400, "0", ""},
		{"not snappy", v1, "snappy", []byte("{}"), 400, "", ""},
		{"gzip", v1, "gzip", first(t, false), 415, "", ""},
		{"JSON", "application/json", "snappy", first(t, false), 415, "", ""},
		{"another message", v1 + ";proto=other", "snappy", first(t, false), 415, "", ""},
		{"too large", v1, "snappy", make([]byte, 1001), 413, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			resp, answer := send(t, "POST", url+"/api/v1/write", c.body, "Content-Type", c.contentType, "Content-Encoding", c.encoding)
			if resp.StatusCode != c.code {
				t.Errorf("status %d, want %d: %s", resp.StatusCode, c.code, answer)
			}
			if got := resp.Header.Get("X-Prometheus-Remote-Write-Samples-Written"); got != c.written {
				t.Errorf("samples written %q, want %q", got, c.written)
			}
			expect(t, b, c.want)
		})
	}
}

// TestNoConfirm: whoever sends is told to come again as long as the broker does
// not confirm, each in its own shape.
func TestNoConfirm(t *testing.T) {
	b, url := start(t, nil)
	b.fail(bus.ErrNotConnected)
	for path, c := range map[string]struct {
		contentType, encoding string
		body                  []byte
		answer                string
	}{
		"/api/v1/write":           {v2, "snappy", second(t, false), "publish: not connected to the broker\n"},
		"/api/v1/otlp/v1/metrics": {"application/json", "", []byte(gauge), `{"code":14,"message":"publish: not connected to the broker"}`},
		"/write":                  {"text/plain", "", []byte("m f=1"), `{"error":"publish: not connected to the broker"}` + "\n"},
		"/api/v2/write":           {"text/plain", "", []byte("m f=1"), `{"code":"unavailable","message":"publish: not connected to the broker"}` + "\n"},
		"/metrics/job/j":          {"text/plain", "", []byte("a 1\n"), "publish: not connected to the broker\n"},
	} {
		resp, answer := send(t, "POST", url+path, c.body, "Content-Type", c.contentType, "Content-Encoding", c.encoding)
		if resp.StatusCode != 503 || resp.Header.Get("Retry-After") != "5" {
			t.Errorf("%s: status %d, retry after %q", path, resp.StatusCode, resp.Header.Get("Retry-After"))
		}
		if strings.ReplaceAll(answer, `, "`, `,"`) != c.answer && !sameJSON(answer, c.answer) {
			t.Errorf("%s: answer %q, want %q", path, answer, c.answer)
		}
	}
	b.fail(nil)
	expect(t, b, "") // nothing was kept to be published later
}

func sameJSON(a, b string) bool {
	var x, y map[string]any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil || len(x) != len(y) {
		return false
	}
	for k := range x {
		if x[k] != y[k] {
			return false
		}
	}
	return true
}

const gauge = `{"resourceMetrics":[{"resource":{"attributes":[{"key":"host.name","value":{"stringValue":"web01"}}]},"scopeMetrics":[{"metrics":[
	{"name":"temperature","gauge":{"dataPoints":[{"asDouble":21.5,"timeUnixNano":"1790000000000000000"}]}},
	{"name":"delta","sum":{"aggregationTemporality":1,"dataPoints":[{"asInt":"1"}]}}]}]}]}`

func TestOTLP(t *testing.T) {
	b, url := start(t, nil)
	resp, answer := send(t, "POST", url+"/api/v1/otlp/v1/metrics", zip(t, gauge), "Content-Type", "application/json", "Content-Encoding", "gzip")
	if resp.StatusCode != 200 || !strings.Contains(answer, `"rejectedDataPoints":"1"`) {
		t.Errorf("status %d, answer %s", resp.StatusCode, answer)
	}
	expect(t, b, "[web01] temperature host_name=web01 21.5")

	request := pmetricotlp.NewExportRequest()
	if err := request.UnmarshalJSON([]byte(gauge)); err != nil {
		t.Fatal(err)
	}
	body, err := request.MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	resp, answer = send(t, "POST", url+"/api/v1/otlp/v1/metrics", body, "Content-Type", "application/x-protobuf")
	response := pmetricotlp.NewExportResponse()
	if err := response.UnmarshalProto([]byte(answer)); err != nil || resp.StatusCode != 200 || response.PartialSuccess().RejectedDataPoints() != 1 {
		t.Errorf("status %d, %d rejected, %v", resp.StatusCode, response.PartialSuccess().RejectedDataPoints(), err)
	}
	expect(t, b, "[web01] temperature host_name=web01 21.5")

	resp, answer = send(t, "POST", url+"/api/v1/otlp/v1/metrics", []byte{1, 2}, "Content-Type", "application/x-protobuf")
	var failure rpc.Status
	if err := proto.Unmarshal([]byte(answer), &failure); err != nil || resp.StatusCode != 400 || failure.Message == "" {
		t.Errorf("status %d, %v, %v", resp.StatusCode, &failure, err)
	}
	if resp, _ := send(t, "POST", url+"/api/v1/otlp/v1/metrics", nil, "Content-Type", "text/plain"); resp.StatusCode != 415 {
		t.Errorf("text: status %d, want 415", resp.StatusCode)
	}
}

func zip(t *testing.T, s string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestInflux(t *testing.T) {
	b, url := start(t, nil)
	for _, c := range []struct {
		path, body string
		code       int
		answer     string
		want       string
	}{
		{"/write?db=telegraf&precision=s", "cpu,host=web01 idle=98,text=\"x\" 1790000000", 204, "", "[web01] cpu_idle host=web01 98"},
		{"/api/v2/write?org=o&bucket=b&precision=ms", "cpu idle=97 1790000000000", 204, "", "[] cpu_idle 97"},
		{"/write", "cpu idle=1\nbroken\n", 400, `{"error":"partial write: unable to parse 1 lines dropped=1"}`, "[] cpu_idle 1"},
		{"/api/v2/write", "broken", 400, `{"code":"invalid"`, ""},
		{"/write?precision=h", "cpu idle=1", 400, `{"error":"precision \"h\"`, ""},
		{"/write", "", 204, "", ""},
	} {
		resp, answer := send(t, "POST", url+c.path, []byte(c.body))
		if resp.StatusCode != c.code || !strings.HasPrefix(answer, c.answer) {
			t.Errorf("%s: status %d, answer %s; want %d, %s", c.path, resp.StatusCode, answer, c.code, c.answer)
		}
		expect(t, b, c.want)
	}
	if resp, _ := send(t, "POST", url+"/write", zip(t, "m f=1"), "Content-Encoding", "gzip"); resp.StatusCode != 204 {
		t.Errorf("gzip: status %d", resp.StatusCode)
	}
	expect(t, b, "[] m_f 1")
}

// withoutTime drops the lines of push_time_seconds, whose value is now.
func withoutTime(lines string) string {
	var kept []string
	for _, line := range strings.Split(lines, "\n") {
		if !strings.Contains(line, "push_time_seconds") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

func TestPushgateway(t *testing.T) {
	b, url := start(t, nil)
	for _, c := range []struct {
		method, path, body string
		code               int
		want               string
	}{
		{"POST", "/metrics/job/backup/instance/db", "a 1\nb{job=\"other\",x=\"y\"} 2", 200, "[db] a instance=db job=backup 1\n[db] b instance=db job=backup x=y 2"},
		{"POST", "/metrics/job/backup/instance/db", "b 3\n", 200, "[db] a instance=db job=backup 1\n[db] b instance=db job=backup 3\n[db] b instance=db job=backup x=y NaN"},
		{"PUT", "/metrics/job/backup/instance/db", "c 4\n", 200, "[db] a instance=db job=backup NaN\n[db] b instance=db job=backup NaN\n[db] c instance=db job=backup 4"},
		{"DELETE", "/metrics/job/backup/instance/db", "", 202, "[db] c instance=db job=backup NaN"},
		{"DELETE", "/metrics/job/backup/instance/db", "", 202, ""},
		{"POST", "/metrics/job@base64/YS9i/path@base64/L3Zhci90bXA", "a 1\n", 200, "[] a job=a/b path=/var/tmp 1"},
		{"POST", "/metrics/job/with%2Fslash", "a 1\n", 200, "[] a job=with/slash 1"},
		{"POST", "/metrics/job/j", "a 1 1790000000000\n", 400, ""},
		{"POST", "/metrics/job/j", "not metrics", 400, ""},
		{"POST", "/metrics/job/j/instance", "a 1\n", 400, ""},
		{"POST", "/metrics/job/j/in-stance/x", "a 1\n", 400, ""},
		{"POST", "/metrics/job/j/a/x/a/y", "a 1\n", 400, ""},
	} {
		resp, answer := send(t, c.method, url+c.path, []byte(c.body))
		if resp.StatusCode != c.code {
			t.Errorf("%s %s: status %d, want %d: %s", c.method, c.path, resp.StatusCode, c.code, answer)
		}
		got := withoutTime(b.samples(t))
		if got != c.want {
			t.Errorf("%s %s: published\n%s\nwant\n%s", c.method, c.path, got, c.want)
		}
	}
}

// TestPushAgain: what was pushed is published once in every interval until it is
// deleted, with the client of Go, which pushes protobuf.
func TestPushAgain(t *testing.T) {
	b, url := start(t, func(c *receive.Config) { c.PushInterval, c.PushSeries = config.Duration(time.Second), 3 })
	done := prometheus.NewGauge(prometheus.GaugeOpts{Name: "done", Help: "Whether it is."})
	done.Set(1)
	p := pusher.New(url, "nightly").Collector(done)
	if err := p.PushContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := withoutTime(b.samples(t)); got != "[] done job=nightly 1" {
			t.Fatalf("published %q", got)
		}
		until(t, func() bool { b.mu.Lock(); defer b.mu.Unlock(); return len(b.published) > 0 })
	}
	if resp, _ := send(t, "POST", url+"/metrics/job/more", []byte("a 1\nb 1\n")); resp.StatusCode != 429 {
		t.Errorf("beyond the limit: status %d, want 429", resp.StatusCode)
	}
	if err := p.Delete(); err != nil {
		t.Fatal(err)
	}
	b.samples(t)
	if resp, answer := send(t, "POST", url+"/metrics/job/more", []byte("a 1\nb 1\n")); resp.StatusCode != 200 {
		t.Errorf("after there is room: status %d: %s", resp.StatusCode, answer)
	}
	if got := withoutTime(b.samples(t)); got != "[] a job=more 1\n[] b job=more 1" {
		t.Errorf("published %q", got)
	}
}

// TestFleets: what Telegraf and OpenTelemetry publish goes on to thump.metrics, and
// is acknowledged only then.
func TestFleets(t *testing.T) {
	b, _ := start(t, nil)
	b.fail(bus.ErrNotConnected)
	b.deliver(telemetry.TelegrafQueue, 1, bus.Message{
		Key: "web01", ContentType: "text/plain", ContentEncoding: "gzip", Body: zip(t, "cpu,host=web01 idle=98 1790000000000000000\n"),
	})
	time.Sleep(250 * time.Millisecond) // at least two attempts
	if n := b.acknowledged(); n != 0 {
		t.Fatalf("%d acknowledged while nothing could be published", n)
	}
	b.fail(nil)
	until(t, func() bool { return b.acknowledged() == 1 })
	expect(t, b, "[web01] cpu_idle host=web01 98")

	b.deliver(telemetry.OTLPQueue, 2, bus.Message{Key: "otlp_metrics", Body: []byte(gauge)})
	until(t, func() bool { return b.acknowledged() == 2 })
	expect(t, b, "[web01] temperature host_name=web01 21.5")

	b.deliver(telemetry.TelegrafQueue, 3, bus.Message{Key: "x", ContentType: "text/plain", Body: []byte("not a line")})
	until(t, func() bool { return b.acknowledged() == 3 })
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.rejected) != 1 || string(b.rejected[0].Body) != "not a line" || len(b.published) != 0 {
		t.Errorf("%d rejected, %d published", len(b.rejected), len(b.published))
	}
}
