package dashboard

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

func serve(t *testing.T, files fstest.MapFS, path string, header http.Header) *httptest.ResponseRecorder {
	t.Helper()
	u, err := newUI(files)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header = header
	w := httptest.NewRecorder()
	u.ServeHTTP(w, r)
	return w
}

// A checkout that was not built has .gitkeep alone.
func TestPageThatIsNotBuilt(t *testing.T) {
	w := serve(t, fstest.MapFS{"web/dist/.gitkeep": {}}, "/hosts/web01", nil)
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "make build") {
		t.Errorf("status %d, page %q", w.Code, w.Body)
	}
}

func TestAssets(t *testing.T) {
	built := fstest.MapFS{
		"web/dist/index.html":       {Data: []byte("<!doctype html>page")},
		"web/dist/favicon.svg":      {Data: []byte("<svg/>")},
		"web/dist/assets/a1.js":     {Data: []byte("plain")},
		"web/dist/assets/a1.js.gz":  {Data: []byte("packed")},
		"web/dist/assets/b2.css":    {Data: []byte("style")},
		"web/dist/assets/.hidden":   {Data: []byte("hidden")},
		"web/dist/assets/b2.css.gz": {Data: []byte("packed style")},
	}
	gzip := http.Header{"Accept-Encoding": {"br, gzip"}}
	for _, c := range []struct {
		path             string
		header           http.Header
		status           int
		body, typ, cache string
	}{
		{"/", nil, 200, "<!doctype html>page", "text/html; charset=utf-8", "no-cache"},
		{"/hosts/web01", nil, 200, "<!doctype html>page", "text/html; charset=utf-8", "no-cache"},
		{"/alerts", nil, 200, "<!doctype html>page", "text/html; charset=utf-8", "no-cache"},
		{"/agents/", nil, 200, "<!doctype html>page", "text/html; charset=utf-8", "no-cache"},
		{"/agents/else", nil, 404, "404 page not found\n", "text/plain; charset=utf-8", ""},
		{"/favicon.svg", nil, 200, "<svg/>", "image/svg+xml", "no-cache"},
		{"/assets/a1.js", nil, 200, "plain", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"},
		{"/assets/a1.js", gzip, 200, "packed", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"},
		{"/assets/b2.css", gzip, 200, "packed style", "text/css; charset=utf-8", "public, max-age=31536000, immutable"},
		{"/assets/gone.js", nil, 404, "404 page not found\n", "text/plain; charset=utf-8", ""},
		{"/assets/.hidden", nil, 404, "404 page not found\n", "text/plain; charset=utf-8", ""},
		{"/index.html", nil, 404, "404 page not found\n", "text/plain; charset=utf-8", ""},
	} {
		w := serve(t, built, c.path, c.header)
		h := w.Header()
		if w.Code != c.status || w.Body.String() != c.body || h.Get("Content-Type") != c.typ || h.Get("Cache-Control") != c.cache {
			t.Errorf("%s %v: status %d, %q, type %q, cache %q; want %+v",
				c.path, c.header, w.Code, w.Body, h.Get("Content-Type"), h.Get("Cache-Control"), c)
		}
		if packed := strings.HasPrefix(c.body, "packed"); packed != (h.Get("Content-Encoding") == "gzip") {
			t.Errorf("%s: encoding %q", c.path, h.Get("Content-Encoding"))
		}
	}
}
