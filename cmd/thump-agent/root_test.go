package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"thump/internal/config"
)

func execute(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	root := newRoot()
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(args)
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "agent.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCommandLine(t *testing.T) {
	tests := []struct {
		name string
		args []string
		out  string // contained in what is written
		err  string // contained in the error
	}{
		{"version", []string{"version"}, "thump-agent dev\n", ""},
		{"print", []string{"run", "--once", "--print", "--host", "web01", "--group", "web"}, `up{group="web",instance="web01",job="node"} 1` + "\n", ""},
		{"once alone", []string{"run", "--once"}, "", "--once and --print go together"},
		{"unknown command", []string{"rnu"}, "", `unknown command "rnu"`},
		{"bad size", []string{"run", "--spool-size", "lots"}, "", `invalid size "lots"`},
		{"bad bus", []string{"run", "--bus", "http://x", "--data-dir", t.TempDir()}, "", `scheme "http" is not one of amqp, amqps`},
		{"bad level", []string{"run", "--log-level", "loud"}, "", `log level "loud"`},
		{"no file", []string{"run", "--config", "/does/not/exist"}, "", "read configuration"},
		{"unknown key", []string{"run", "--config", file(t, "agent:\n  group: web\n  gruop: web\n")}, "", `agent.yaml: line 3: unknown key "gruop"`},
		{"bad template", []string{"run", "--once", "--print", "--config", file(t, "agent:\n  template:\n    probes: [{name: cup, interval: 1s}]\n")}, "", `unknown probe "cup"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, err := execute(t, tt.args...)
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
			if !strings.Contains(out, tt.out) {
				t.Errorf("wrote %.200q, want %q in it", out, tt.out)
			}
		})
	}
}

// TestConfigFile reads every key that there is.
func TestConfigFile(t *testing.T) {
	cfg := DefaultConfig()
	err := config.ReadFile(file(t, `
data_dir: /var/lib/thump-agent
log: {level: warn, format: json}
bus: {urls: ["amqps://broker:5671/"]}
agent:
  host: web01
  group: web
  labels: {site: north}
  spool_size: 1GiB
  backlog_rate: 10
  template:
    probes:
      - {name: cpu, interval: 1s}
`), &cfg)
	if err != nil {
		t.Fatal(err)
	}
	a := cfg.Agent
	if a.Host != "web01" || a.Group != "web" || a.Labels["site"] != "north" || a.SpoolSize != 1<<30 || a.BacklogRate != 10 {
		t.Errorf("agent %+v", a)
	}
	if p := a.Template.Probes; len(p) != 1 || p[0].Name != "cpu" || p[0].Interval.D() != time.Second {
		t.Errorf("template %+v", a.Template)
	}
}
