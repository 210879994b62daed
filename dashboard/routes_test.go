package dashboard_test

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"thump/dashboard"
)

func named(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, name+" "+r.URL.Path) })
}

func handler(t *testing.T, collector, alerting http.Handler) http.Handler {
	t.Helper()
	d, err := dashboard.New(dashboard.DefaultConfig(), dashboard.Deps{
		Bus: &memoryBus{}, Collector: collector, Alerting: alerting, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return d.Handler()
}

func get(h http.Handler, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestMountedAPIs(t *testing.T) {
	h := handler(t, named("collector"), named("alerting"))
	for path, want := range map[string]string{
		"/api/v1/query":       "collector",
		"/api/v1/query_range": "collector",
		"/api/hosts":          "collector",
		"/api/v1/rules":       "alerting",
		"/api/v1/alerts":      "alerting",
		"/api/v2/alerts":      "alerting",
		"/api/v2/silence/1":   "alerting",
		"/api/alerts":         "alerting",
		"/api/alerts/history": "alerting",
	} {
		if got := get(h, path).Body.String(); got != want+" "+path {
			t.Errorf("%s answered by %q, want %s", path, got, want)
		}
	}
}

func TestAPIsThatAreNotThere(t *testing.T) {
	h := handler(t, nil, nil)
	for path, want := range map[string]int{
		"/api/v1/query": http.StatusServiceUnavailable, "/api/v2/alerts": http.StatusServiceUnavailable,
		"/api/nothing": http.StatusNotFound,
	} {
		w := get(h, path)
		var body map[string]string
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if w.Code != want || body["status"] != "error" || body["error"] == "" {
			t.Errorf("%s: status %d, body %v; want %d with an error", path, w.Code, body, want)
		}
	}
}

func TestPagesAreSafe(t *testing.T) {
	h := handler(t, nil, nil)
	for _, path := range []string{"/", "/hosts/web01", "/hosts/a%2Fb", "/nothing"} {
		header := get(h, path).Header()
		csp := header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self';", "frame-ancestors 'none'"} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: policy %q without %q", path, csp, want)
			}
		}
		if header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s may be sniffed", path)
		}
	}
	if got := get(h, "/nothing").Code; got != http.StatusNotFound {
		t.Errorf("/nothing: status %d, want 404", got)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST /: status %d, want 405", w.Code)
	}
}

// The page is there or says what to do; its assets are kept by browsers for good,
// and the page that names them is not.
func TestPageAndAssets(t *testing.T) {
	h := handler(t, nil, nil)
	page := get(h, "/hosts/web01")
	if page.Code == http.StatusServiceUnavailable {
		if !strings.Contains(page.Body.String(), "UI not built: run make build") {
			t.Errorf("page %q does not say how to build it", page.Body)
		}
		t.Skip("the UI is not built: its assets are not tested")
	}
	if page.Code != http.StatusOK || page.Header().Get("Cache-Control") != "no-cache" {
		t.Errorf("page: status %d, cache %q", page.Code, page.Header().Get("Cache-Control"))
	}
	if again := get(h, "/", "If-None-Match", page.Header().Get("Etag")); again.Code != http.StatusNotModified {
		t.Errorf("page asked for again: status %d, want 304", again.Code)
	}
	scripts := regexp.MustCompile(`<script[^>]*>`).FindAllString(page.Body.String(), -1)
	for _, s := range scripts {
		if !strings.Contains(s, "src=") {
			t.Errorf("inline script %s, which the policy forbids", s)
		}
	}
	asset := regexp.MustCompile(`/assets/[^"]+\.js`).FindString(page.Body.String())
	plain, packed := get(h, asset), get(h, asset, "Accept-Encoding", "gzip")
	if got := plain.Header().Get("Cache-Control"); !strings.Contains(got, "immutable") {
		t.Errorf("%s: cache %q, want immutable", asset, got)
	}
	z, err := gzip.NewReader(packed.Body)
	if err != nil {
		t.Fatalf("%s: %v", asset, err)
	}
	if unpacked, err := io.ReadAll(z); err != nil || string(unpacked) != plain.Body.String() {
		t.Errorf("%s packed differs from plain (%v)", asset, err)
	}
}

func TestConfigMustHaveLimits(t *testing.T) {
	if _, err := dashboard.New(dashboard.Config{}, dashboard.Deps{}); err == nil {
		t.Error("a configuration without limits was taken")
	}
}
