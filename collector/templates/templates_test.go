package templates_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"thump/agent"
	"thump/collector/templates"
	"thump/configs"
)

// folder writes files into a new folder.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		write(t, dir, name, text)
	}
	return dir
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, dir string) *templates.Folder {
	t.Helper()
	f, err := templates.Open(dir, configs.DefaultTemplate, agent.CheckTemplate, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func set(t *testing.T, f *templates.Folder) *templates.Set {
	t.Helper()
	s, _ := f.Set()
	if s == nil {
		t.Fatalf("no set: %v", f.Problems())
	}
	return s
}

// TestMerge: files in the order of their names, the default first; an entry
// replaces its namesake in its place.
func TestMerge(t *testing.T) {
	dir := folder(t, map[string]string{
		templates.DefaultName: "probes: [{name: cpu, interval: 10s}, {name: load, interval: 10s}, {name: disk, interval: 10s}]\n",
		"10-web.yaml":         "# fast\nmatch: {groups: [web*]}\nprobes:\n  - {name: load, interval: 5s} # often\n  - {name: disk, off: true}\n",
		"00-last-wins.yaml":   "match: {hosts: ['web0[12]', db*]}\nprobes: [{name: load, interval: 2s}, {name: memory, interval: 3s}]\n",
		"20-north.yml":        "match: {labels: {site: n*}}\nprobes: [{name: disk, interval: 30s}]\n",
		".hidden.yaml":        "nonsense: true\n",
		"README":              "nonsense\n",
	})
	s := set(t, open(t, dir))
	tests := []struct {
		name string
		host templates.Host
		want []string // kind name file:line
	}{
		{"no file but the default", templates.Host{Name: "x", Groups: []string{"default"}},
			[]string{"cpu default.yaml 1", "load default.yaml 1", "disk default.yaml 1"}},
		{"by name", templates.Host{Name: "db7", Groups: []string{"db"}},
			[]string{"cpu default.yaml 1", "load 00-last-wins.yaml 2", "disk default.yaml 1", "memory 00-last-wins.yaml 2"}},
		{"later files win, off takes out", templates.Host{Name: "web02", Groups: []string{"other", "webshop"}},
			[]string{"cpu default.yaml 1", "load 10-web.yaml 4", "memory 00-last-wins.yaml 2"}},
		{"taken out and put in again", templates.Host{Name: "web03", Groups: []string{"web"}, Labels: map[string]string{"site": "north"}},
			[]string{"cpu default.yaml 1", "load 10-web.yaml 4", "disk 20-north.yml 2"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := s.For(&tt.host)
			var got []string
			for _, x := range e.Entries {
				got = append(got, x.Name+" "+x.File+" "+string(rune('0'+x.Line)))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
			if refused := agent.CheckTemplate([]byte(e.Body)); len(refused) > 0 || strings.Contains(e.Body, "#") {
				t.Errorf("an agent refuses %v of\n%s", refused, e.Body)
			}
		})
	}
}

// TestProblems: what is wrong is said with file and line.
func TestProblems(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"unknown key", "match: {}\nprobs: []\n", `x.yaml:2: unknown key "probs"`},
		{"unknown key of match", "match:\n  hots: [a]\n", `x.yaml:2: unknown key "hots"`},
		{"unknown probe", "probes:\n  - {name: cpu, interval: 1s}\n  - {name: cup, interval: 1s}\n", `x.yaml:3: probe cup: unknown probe "cup"`},
		{"unknown key of a probe", "probes:\n  - name: cpu\n    intervall: 1s\n", `x.yaml:3: probe cpu: unknown key "intervall"`},
		{"interval", "probes: [{name: cpu, interval: 1ms}]\n", `x.yaml:1: probe cpu: probe "cpu" every 1ms`},
		{"twice", "probes:\n- {name: cpu, interval: 1s}\n- {name: cpu, interval: 2s}\n", `x.yaml:3: probe cpu: named twice`},
		{"no name", "probes:\n- {interval: 1s}\n", `x.yaml:2: probe : want a mapping with a name`},
		{"syntax", "probes: [\n", `x.yaml:`},
		{"pattern", "match: {hosts: ['[']}\n", `x.yaml: match: bad pattern "["`},
		{"two documents", "probes: []\n---\nprobes: []\n", `x.yaml: more than one document`},
		{"check", "checks:\n- {name: web, interval: 1m}\n", `x.yaml:2: check web: check web: has 0 kinds`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := open(t, folder(t, map[string]string{"x.yaml": tt.text}))
			bad := f.Problems()
			if len(bad) == 0 || !strings.HasPrefix(bad[0].Error(), tt.want) {
				t.Errorf("problems %v, want %s", bad, tt.want)
			}
			if s, _ := f.Set(); s != nil {
				t.Error("handed out")
			}
		})
	}
}

// TestBadFileKeepsTheGood, and the good one comes back when it is mended.
func TestBadFileKeepsTheGood(t *testing.T) {
	dir := folder(t, map[string]string{"a.yaml": "probes: [{name: cpu, interval: 2s}]\n"})
	f := open(t, dir)
	before := set(t, f)
	write(t, dir, "a.yaml", "probes: [{name: cpu, interval: 3s}]\n")
	write(t, dir, "b.yaml", "probes: [{name: cpu\n")
	if err := f.Reload(); err == nil || !strings.Contains(err.Error(), "b.yaml:") {
		t.Errorf("reload: %v", err)
	}
	if set(t, f) != before {
		t.Error("a bad file took good ones down, or let half of a change through")
	}
	if err := os.Remove(filepath.Join(dir, "b.yaml")); err != nil {
		t.Fatal(err)
	}
	if err := f.Reload(); err != nil || set(t, f) == before || len(f.Problems()) > 0 {
		t.Errorf("mended: %v, %v", err, f.Problems())
	}
}

// TestRevision: a comment is no change, an interval is.
func TestRevision(t *testing.T) {
	h := &templates.Host{Name: "a"}
	revision := func(text string) string {
		return set(t, open(t, folder(t, map[string]string{templates.DefaultName: text}))).For(h).Revision
	}
	one := revision("probes: [{name: cpu, interval: 2s}]\n")
	if revision("# more\nprobes: [{name: cpu, interval: 2s}] # words\n") != one {
		t.Error("a comment made a revision")
	}
	if revision("probes: [{name: cpu, interval: 3s}]\n") == one {
		t.Error("a change made none")
	}
}

// TestBuiltIn is what an agent does by itself, too.
func TestBuiltIn(t *testing.T) {
	e := set(t, open(t, t.TempDir())).For(&templates.Host{Name: "a"})
	if len(e.Entries) != len(agent.DefaultConfig().Template.Probes) {
		t.Errorf("%d entries, the agent has %d", len(e.Entries), len(agent.DefaultConfig().Template.Probes))
	}
	for i, p := range agent.DefaultConfig().Template.Probes {
		if e.Entries[i].Name != p.Name || !strings.Contains(e.Body, "{name: "+p.Name+", interval: "+p.Interval.String()+"}") {
			t.Errorf("entry %d is %+v, the agent's own %+v", i, e.Entries[i], p)
		}
	}
}

// TestPoll: a change is seen without being told.
func TestPoll(t *testing.T) {
	dir := folder(t, map[string]string{"a.yaml": "probes: [{name: cpu, interval: 2s}]\n"})
	f := open(t, dir)
	changed := make(chan struct{}, 1)
	done := make(chan struct{})
	go func() { defer close(done); f.Run(t.Context(), func() { changed <- struct{}{} }) }()
	t.Cleanup(func() { <-done })
	write(t, dir, "a.yaml", "probes: [{name: cpu, interval: 33s}]\n")
	select {
	case <-changed:
	case <-time.After(10 * time.Second):
		t.Fatal("the change was not seen")
	}
	if e := set(t, f).For(&templates.Host{Name: "a"}); !strings.Contains(e.Body, "33s") {
		t.Errorf("body %s", e.Body)
	}
}
