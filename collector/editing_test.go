package collector_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"thump/collector"
	"thump/internal/bus"
	"thump/internal/telemetry"
)

// ask makes a request with a body and perhaps one header, "Name: value".
func ask(t *testing.T, c *collector.Collector, method, path string, body any, header string, into any) *httptest.ResponseRecorder {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(method, path, strings.NewReader(string(text)))
	if name, value, ok := strings.Cut(header, ": "); ok {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	c.Handler().ServeHTTP(w, r)
	if into != nil {
		if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
			t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
	}
	return w
}

// fileEdit is the body of a PUT or preview.
type fileEdit struct {
	File    string  `json:"file,omitempty"`
	Content *string `json:"content"`
	By      string  `json:"by,omitempty"`
	Note    string  `json:"note,omitempty"`
}

func text(s string) *string { return &s }

// edited is the answer to a change.
type edited struct {
	ID       int
	By       string
	Diff     string
	Problems []struct {
		File, Reason string
		Line         int
	}
}

// report makes the collector know a host of a group.
func report(t *testing.T, m *memoryBus, c *collector.Collector, host, group string) {
	t.Helper()
	s := sample(1, now, 1)
	s.Headers[telemetry.HostHeader], s.Headers[telemetry.GroupHeader] = host, group
	m.publishAll([]*bus.Message{s})
	until(t, func() bool {
		var all []fleetHost
		call(t, c, http.MethodGet, "/api/hosts", &all)
		return slices.ContainsFunc(all, func(h fleetHost) bool { return h.Name == host })
	})
}

const fastLoad = "match: {groups: [web]}\nprobes:\n- {name: load, interval: 7s}\n- {name: disk, off: true}\n"

// TestEditTemplates changes files over HTTP: in force at once, kept over a
// restart with who did it, never with a mistake in it, never over what somebody
// else has written meanwhile, and undone.
func TestEditTemplates(t *testing.T) {
	m, data := newMemoryBus(), t.TempDir()
	c, stop := steered(t, m, data, "")
	report(t, m, c, "web01", "web")
	report(t, m, c, "web02", "web")
	report(t, m, c, "db01", "db")

	var preview struct {
		Diff    string
		Changes []struct {
			Hosts                   []string
			Before, After, Diff     string
			Added, Removed, Changed []struct{ Name, File string }
		}
		Unchanged int
	}
	ask(t, c, http.MethodPost, "/api/templates/preview", fileEdit{File: "web.yaml", Content: text(fastLoad)}, "", &preview)
	if len(preview.Changes) != 1 || preview.Unchanged != 1 || !strings.Contains(preview.Diff, "+match: {groups: [web]}\n") {
		t.Fatalf("preview %+v", preview)
	}
	x := preview.Changes[0]
	if !slices.Equal(x.Hosts, []string{"web01", "web02"}) || len(x.Changed) != 1 || x.Changed[0].Name != "load" || x.Changed[0].File != "web.yaml" ||
		len(x.Removed) != 1 || x.Removed[0].Name != "disk" || len(x.Added) != 0 || !strings.Contains(x.Diff, "interval: 7s") {
		t.Errorf("preview %+v", x)
	}
	if files, err := os.ReadDir(filepath.Join(data, "templates")); err != nil || len(files) > 0 {
		t.Errorf("a preview wrote %v, %v", files, err)
	}

	var done edited
	w := ask(t, c, http.MethodPut, "/api/templates/files/web.yaml", fileEdit{Content: text(fastLoad), By: "ann", Note: "faster"}, "If-None-Match: *", &done)
	first := w.Header().Get("ETag")
	if w.Code != http.StatusOK || done.ID != 1 || done.By != "ann" || first == "" || len(done.Problems) > 0 {
		t.Fatalf("put: %d %s", w.Code, w.Body)
	}
	effective := func(host string) string {
		var e struct{ Body string }
		call(t, c, http.MethodGet, "/api/hosts/"+host+"/template", &e)
		return e.Body
	}
	if b := effective("web01"); !strings.Contains(b, "{name: load, interval: 7s}") || strings.Contains(b, "disk") {
		t.Errorf("not in force: %s", b)
	}
	if b := effective("db01"); !strings.Contains(b, "{name: load, interval: 10s}") {
		t.Errorf("in force elsewhere: %s", b)
	}
	var listed struct {
		Files []struct {
			Name  string
			Hosts int
		}
	}
	if call(t, c, http.MethodGet, "/api/templates", &listed); len(listed.Files) != 2 || listed.Files[1].Hosts != 2 || listed.Files[0].Hosts != 3 {
		t.Errorf("files %+v", listed)
	}

	slower := strings.Replace(fastLoad, "7s", "8s", 1)
	refused := []struct {
		what, method, path, header string
		body                       any
		code                       int
		want                       string
	}{
		{"exists", "PUT", "files/web.yaml", "If-None-Match: *", fileEdit{Content: &slower}, 412, "somebody has changed the file"},
		{"other tag", "PUT", "files/web.yaml", `If-Match: "x"`, fileEdit{Content: &slower}, 412, "somebody has changed the file"},
		{"other tag", "DELETE", "files/web.yaml", `If-Match: "x"`, nil, 412, "somebody has changed the file"},
		{"mistake", "PUT", "files/web.yaml", "", fileEdit{Content: text("probes:\n- {name: laod, interval: 1s}\n")}, 422, `"line":2`},
		{"preview of a mistake", "POST", "preview", "", fileEdit{File: "x.yaml", Content: text("probs: 1\n")}, 422, `unknown key \"probs\"`},
		{"name", "PUT", "files/..%2Fweb.yaml", "", fileEdit{Content: &slower}, 422, "want a name like"},
		{"hidden", "PUT", "files/.web.yaml", "", fileEdit{Content: &slower}, 422, "want a name like"},
		{"too large", "PUT", "files/big.yaml", "", fileEdit{Content: text(strings.Repeat("#", 1<<20+1))}, 422, "at most 1048576 bytes"},
		{"no content", "PUT", "files/web.yaml", "", fileEdit{}, 400, "DELETE removes"},
		{"unknown key", "PUT", "files/web.yaml", "", map[string]any{"contents": "x"}, 400, `unknown field \"contents\"`},
		{"nothing there", "DELETE", "files/none.yaml", "", nil, 404, "no such file"},
		{"built in", "DELETE", "files/default.yaml", "", nil, 404, "no such file"},
		{"nothing there", "GET", "files/none.yaml", "", nil, 404, "no such file"},
		{"no revision", "POST", "revisions/7/undo", "", nil, 404, "no revision"},
	}
	for _, r := range refused {
		w := ask(t, c, r.method, "/api/templates/"+r.path, r.body, r.header, nil)
		if w.Code != r.code || !strings.Contains(w.Body.String(), r.want) {
			t.Errorf("%s: %s %s: %d %s, want %d %s", r.what, r.method, r.path, w.Code, w.Body, r.code, r.want)
		}
	}
	if b := effective("web01"); !strings.Contains(b, "{name: load, interval: 7s}") {
		t.Errorf("what was refused is in force: %s", b)
	}

	ask(t, c, http.MethodPut, "/api/templates/files/web.yaml", fileEdit{Content: &slower, By: "bob"}, "If-Match: "+first, &done)
	if done.ID != 2 || !strings.Contains(done.Diff, "-- {name: load, interval: 7s}\n+- {name: load, interval: 8s}\n") {
		t.Errorf("put: %+v", done)
	}
	stop()
	c, _ = steered(t, m, data, "")
	if b := effective("web01"); !strings.Contains(b, "{name: load, interval: 8s}") {
		t.Errorf("after a restart: %s", b)
	}
	ask(t, c, http.MethodPost, "/api/templates/revisions/"+strconv.Itoa(done.ID)+"/undo?by=eve", nil, "", &done)
	if b := effective("web01"); done.ID != 3 || !strings.Contains(b, "{name: load, interval: 7s}") {
		t.Errorf("undone: %+v %s", done, b)
	}
	ask(t, c, http.MethodDelete, "/api/templates/files/web.yaml?by=eve&note=gone", nil, "If-Match: "+first, &done)
	if b := effective("web01"); !strings.Contains(b, "{name: load, interval: 10s}") || !strings.Contains(b, "disk") {
		t.Errorf("deleted: %s", b)
	}
	var revs []edited
	call(t, c, http.MethodGet, "/api/templates/revisions?file=web.yaml", &revs)
	var who []string
	for _, r := range revs {
		who = append(who, r.By)
	}
	if got := strings.Join(who, " "); got != "eve eve bob ann" {
		t.Errorf("changed by %q, newest first", got)
	}
	var one struct{ Before, After *string }
	if call(t, c, http.MethodGet, "/api/templates/revisions/2", &one); one.Before == nil || *one.Before != fastLoad || *one.After != slower {
		t.Errorf("revision 2: %+v", one)
	}
}

// TestEditBuiltInTemplate replaces what is built in, which is back when the
// replacement goes.
func TestEditBuiltInTemplate(t *testing.T) {
	c, _ := steered(t, newMemoryBus(), t.TempDir(), "")
	var f struct {
		BuiltIn       bool `json:"built_in"`
		Content, ETag string
	}
	w := ask(t, c, http.MethodGet, "/api/templates/files/default.yaml", nil, "", &f)
	if !f.BuiltIn || !strings.Contains(f.Content, "name: cpu") || w.Header().Get("ETag") != f.ETag {
		t.Fatalf("built in: %+v", f)
	}
	if w := ask(t, c, http.MethodPut, "/api/templates/files/default.yaml", fileEdit{Content: text("probes: []\n")}, "If-Match: "+f.ETag, nil); w.Code != http.StatusOK {
		t.Errorf("replace: %d %s", w.Code, w.Body)
	}
	if ask(t, c, http.MethodGet, "/api/templates/files/default.yaml", nil, "", &f); f.BuiltIn || f.Content != "probes: []\n" {
		t.Errorf("replaced: %+v", f)
	}
	ask(t, c, http.MethodDelete, "/api/templates/files/default.yaml", nil, "", nil)
	if ask(t, c, http.MethodGet, "/api/templates/files/default.yaml", nil, "", &f); !f.BuiltIn {
		t.Errorf("back: %+v", f)
	}
}

// TestEditBesideABadFile: while a file that somebody wrote by hand is bad, nothing
// is handed out, another can be changed, and the bad one mended.
func TestEditBesideABadFile(t *testing.T) {
	files := t.TempDir()
	writeTemplate(t, files, "probes: [{name: laod, interval: 9s}]\n")
	m := newMemoryBus()
	c, _ := steered(t, m, t.TempDir(), files)
	report(t, m, c, "web01", "web")
	var done edited
	ask(t, c, http.MethodPut, "/api/templates/files/a.yaml", fileEdit{Content: text(fastLoad)}, "", &done)
	if len(done.Problems) != 1 || done.Problems[0].File != "web.yaml" || done.Problems[0].Line != 1 {
		t.Errorf("problems of the other file: %+v", done)
	}
	if code := call(t, c, http.MethodGet, "/api/hosts/web01/template", nil); code != http.StatusServiceUnavailable {
		t.Errorf("handed out beside a bad file: %d", code)
	}
	ask(t, c, http.MethodPut, "/api/templates/files/web.yaml", fileEdit{Content: text("probes: []\n")}, "", &done)
	if code := call(t, c, http.MethodGet, "/api/hosts/web01/template", nil); code != http.StatusOK || len(done.Problems) > 0 {
		t.Errorf("mended: %d %+v", code, done)
	}
}
