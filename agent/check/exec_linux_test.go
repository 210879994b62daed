package check

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// script writes a program and returns the check that runs it.
func script(t *testing.T, body, settings string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for dir := filepath.Dir(path); dir != "/tmp" && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return fmt.Sprintf("{name: a, timeout: 2s, exec: {command: [%s] %s}}", path, settings)
}

func TestExec(t *testing.T) {
	const state, info = `thump_check_state{check="a"}`, `thump_check_info{check="a",text="%s"}`
	tests := []struct {
		name, body, settings string
		failed               bool // the check could not do its job
		want                 map[string]float64
	}{
		{"ok", "echo 'fine | a=1'", "", false, map[string]float64{state: 0, fmt.Sprintf(info, "fine"): 1, `nagios_perfdata{check="a",label="a"}`: 1}},
		{"warning", "echo slow; exit 1", "", false, map[string]float64{state: 1, fmt.Sprintf(info, "slow"): 1}},
		{"critical", "echo dead; exit 2", "", false, map[string]float64{state: 2, fmt.Sprintf(info, "dead"): 1}},
		{"other code", "echo odd; exit 77", "", false, map[string]float64{state: 3, fmt.Sprintf(info, "odd"): 1}},
		{"signal", "kill -9 $$", "", false, map[string]float64{state: 3, fmt.Sprintf(info, "UNKNOWN"): 1}},
		{"stderr speaks", "echo wrong >&2; exit 2", "", false, map[string]float64{state: 2, fmt.Sprintf(info, "wrong"): 1}},
		{"prometheus", "echo '# TYPE orders counter\norders{shop=\"7\",instance=\"x\"} 5'", ", format: prometheus", false, map[string]float64{
			state: 0, fmt.Sprintf(info, "OK"): 1, `orders{exported_instance="x",shop="7"}`: 5}},
		{"influx", "echo 'cpu,core=0 user=1.5'", ", format: influx", false, map[string]float64{state: 0, fmt.Sprintf(info, "OK"): 1, `cpu_user{core="0"}`: 1.5}},
		{"json", `echo '{"name":"x","value":3}'`, ", format: json", false, map[string]float64{state: 0, fmt.Sprintf(info, "OK"): 1, `x{}`: 3}},
		{"none", "echo '|||='; exit 1", ", format: none", false, map[string]float64{state: 1, fmt.Sprintf(info, "WARNING"): 1}},
		{"malformed", "echo 'a b c'", ", format: prometheus", true, map[string]float64{state: 3, fmt.Sprintf(info, `line 1: bad value "b"`): 1}},
		{"malformed perfdata", "echo 'fine | a=1 b=x'", "", true, map[string]float64{state: 0, fmt.Sprintf(info, "fine"): 1, `nagios_perfdata{check="a",label="a"}`: 1}},
		{"cut perfdata", "echo 'fine | a=1 b=12345678901234567890'; exit 1", ", max_output: 20", true, map[string]float64{state: 1, fmt.Sprintf(info, "fine"): 1, `nagios_perfdata{check="a",label="a"}`: 1}},
		{"environment", "echo $(env | grep -cv -e ^PWD= -e ^_= -e ^SHLVL= -e ^OLDPWD=) $X $HOME $LC_ALL $(pwd)", ", env: {X: y}", false, map[string]float64{state: 0, fmt.Sprintf(info, "5 y / C /"): 1}},
		{"user", "id -un; id -Gn", ", user: nobody", false, map[string]float64{state: 0, fmt.Sprintf(info, "nobody"): 1}},
		{"too much output", "head -c 5000 /dev/zero; exit 1", ", format: prometheus, max_output: 1KiB", true, map[string]float64{state: 3, fmt.Sprintf(info, "output of more than 1024 bytes"): 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.name == "user" && os.Geteuid() != 0 {
				t.Skip("only root may run commands as another")
			}
			got, err := collect(t, open(t, script(t, tt.body, tt.settings)))
			if (err != nil) != tt.failed {
				t.Errorf("error %v, want one: %v", err, tt.failed)
			}
			compare(t, got, tt.want)
		})
	}
}

// TestExecTimeout: all that a command started is gone when its time is over.
func TestExecTimeout(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	c := open(t, script(t, "sleep 300 & echo $! $$ > "+pids+"; wait", ""))
	start := time.Now()
	got, err := collect(t, c)
	if took := time.Since(start); took > 5*time.Second || err == nil || got[`thump_check_state{check="a"}`] != 3 {
		t.Errorf("took %v, error %v, %v", took, err, got)
	}
	wantGone(t, pids)
}

// TestExecLeftover: what a command leaves behind, with its output open, neither
// holds the check up nor lives on.
func TestExecLeftover(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	c := open(t, script(t, "sleep 300 & echo $! > "+pids+"; echo 'started | n=1'", ""))
	start := time.Now()
	got, err := collect(t, c)
	if took := time.Since(start); took > time.Second || err != nil || got[`nagios_perfdata{check="a",label="n"}`] != 1 {
		t.Errorf("took %v, error %v, %v", took, err, got)
	}
	wantGone(t, pids)
}

func wantGone(t *testing.T, pids string) {
	t.Helper()
	b, err := os.ReadFile(pids)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range strings.Fields(string(b)) {
		pid, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(5 * time.Second); !gone(pid); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("process %d lives on", pid)
			}
		}
	}
}

// gone counts one that has ended and that nobody has asked about yet.
func gone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(stat), ") Z ")
}

// TestExecRefused: what the agent or the host does not allow is told at once.
func TestExecRefused(t *testing.T) {
	spec := parse(t, "{name: a, exec: {command: [/bin/true, x]}}")
	refusal := errors.New("not in commands")
	_, err := New(spec, Env{AllowExec: func(argv []string, user string) error {
		if len(argv) != 2 || argv[0] != "/bin/true" || user != "" {
			t.Errorf("asked about %q as %q", argv, user)
		}
		return refusal
	}})
	if !errors.Is(err, refusal) {
		t.Errorf("error %v, want %v", err, refusal)
	}
	if _, err := New(parse(t, "{name: a, exec: {command: [/bin/true], user: no-such-user}}"), Env{}); err == nil {
		t.Error("a user that there is not: no error")
	}
	if syscall.Geteuid() != 0 {
		if _, err := New(parse(t, "{name: a, exec: {command: [/bin/true], user: root}}"), Env{}); err == nil {
			t.Error("another user without being root: no error")
		}
	}
	got, err := collect(t, open(t, "{name: a, exec: {command: [/no/such/program]}}"))
	if err == nil || got[`thump_check_state{check="a"}`] != 3 {
		t.Errorf("a program that there is not: error %v, %v", err, got)
	}
	got, err = collect(t, open(t, "{name: a, exec: {shell: true, command: ['echo $((1+2)) | cat']}}"))
	if err != nil || got[`thump_check_info{check="a",text="3"}`] != 1 {
		t.Errorf("shell: error %v, %v", err, got)
	}
}
