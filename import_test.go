package thump

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// allowed says which packages of this module a package may import: the longest
// prefix of its folder decides. Components never import each other; they meet
// in the broker. Whatever is not listed may import nothing of ours.
var allowed = map[string][]string{
	"agent":              {"agent", "internal/bus", "internal/config", "internal/control", "internal/record", "internal/telemetry", "internal/vfs"},
	"agent/check":        {"agent/child", "agent/exposition", "agent/probe", "internal/bus", "internal/config", "internal/telemetry"},
	"agent/child":        {},
	"agent/command":      {"agent/child", "internal/bus", "internal/config", "internal/control", "internal/telemetry", "internal/vfs"},
	"agent/exposition":   {"internal/telemetry"},
	"agent/join":         {"internal/bus", "internal/control", "internal/telemetry", "internal/vfs"},
	"agent/service":      {"internal/vfs"},
	"agent/probe":        {"agent/exposition", "internal/telemetry"},
	"agent/spool":        {"internal/bus", "internal/record", "internal/vfs"},
	"alerting":           {"alerting", "configs", "internal/bus", "internal/config", "internal/control", "internal/formats", "internal/logging", "internal/revision", "internal/roster", "internal/telemetry", "internal/vfs"},
	"broker":             {"broker", "internal/config", "internal/vfs"},
	"broker/management":  {"broker", "internal/process"},
	"broker/amqp":        {"broker/amqp"}, // wire: no session, no semantics, no storage
	"broker/definitions": {"broker/amqp", "broker/vhost"},
	"broker/journal":     {"internal/record", "internal/vfs"},
	"broker/vhost":       {"broker/amqp", "broker/journal"},
	"collector":          {"collector", "configs", "internal/bus", "internal/config", "internal/formats", "internal/control", "internal/logging", "internal/revision", "internal/roster", "internal/telemetry", "internal/vfs"},
	"configs":            {},
	"dashboard":          {"dashboard", "internal/bus", "internal/config", "internal/formats", "internal/control", "internal/roster", "internal/telemetry"},

	// The Grafana data source is a module of its own: nobody else needs its libraries.
	"dashboard/grafana":         {"dashboard/grafana", "internal/bus", "internal/config", "internal/control", "internal/formats", "internal/telemetry"},
	"dashboard/grafana/history": {"dashboard/grafana/trouble"},
	"dashboard/grafana/trouble": {},

	"internal/authority": {"internal/vfs"},
	"internal/bus":       {}, // programs name the transports besides AMQP
	"internal/bus/redis": {"internal/bus"},
	"internal/config":    {},
	"internal/enrolment": {"internal/bus", "internal/config", "internal/control", "internal/process", "internal/telemetry", "internal/vfs"},
	"internal/formats":   {"internal/bus", "internal/telemetry"},
	"internal/control":   {"internal/bus", "internal/config", "internal/telemetry"},
	"internal/logging":   {},
	"internal/manual":    {},
	"internal/process":   {},
	"internal/record":    {},
	"internal/revision":  {"internal/vfs"},
	"internal/roster":    {},
	"internal/tap":       {"internal/bus", "internal/formats", "internal/telemetry"},
	"internal/telemetry": {"internal/bus"},
	"internal/vfs":       {"internal/vfs"},
	"internal/vitals":    {"internal/bus", "internal/telemetry"},

	"cmd/thump":       {"agent", "alerting", "broker", "collector", "configs", "dashboard", "internal"},
	"cmd/thump-agent": {"agent", "configs", "internal/bus", "internal/config", "internal/logging", "internal/process", "internal/telemetry"},
	"test":            {"agent", "alerting", "broker", "collector", "configs", "dashboard", "internal", "test"},
}

// TestImports holds the architecture. It parses the files rather than asking
// the go command, whose answer would be cached wrongly. Tests may import what
// they like: a component is tested through the real broker.
func TestImports(t *testing.T) {
	seen := 0
	for file, imports := range goFiles(t) {
		dir := path.Dir(file)
		rule := ruleFor(dir)
		if rule == "" {
			t.Errorf("%s: no rule says what package %s may import; add one to import_test.go", file, dir)
			continue
		}
		for _, imp := range imports {
			seen++
			if !within(imp, allowed[rule]) {
				t.Errorf("%s imports %s, which %s may not", file, imp, rule)
			}
		}
	}
	if seen == 0 {
		t.Error("no import was checked")
	}
}

// goFiles returns the non-test Go files with the packages of this module that
// each imports, without the module's name.
func goFiles(t *testing.T) map[string][]string {
	t.Helper()
	files := map[string][]string{}
	err := fs.WalkDir(root, ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata" || d.Name() == "data" || d.Name() == ".git"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") || path.Dir(p) == ".":
			return nil
		}
		imports, err := ourImports(p)
		files[p] = imports
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func ourImports(file string) ([]string, error) {
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	var ours []string
	for _, i := range f.Imports {
		p, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			return nil, err
		}
		if rest, ok := strings.CutPrefix(p, "thump/"); ok {
			ours = append(ours, rest)
		}
	}
	return ours, nil
}

func ruleFor(dir string) string {
	for d := dir; d != "."; d = path.Dir(d) {
		if _, ok := allowed[d]; ok {
			return d
		}
	}
	return ""
}

func within(imp string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return imp == p || strings.HasPrefix(imp, p+"/") })
}
