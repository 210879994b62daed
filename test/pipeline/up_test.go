package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"thump/internal/telemetry"
)

func TestUpShowsThisHost(t *testing.T) {
	p := up(t, t.TempDir())
	load := one(t, p.url(), "node_load1", 5*time.Second)
	host, _ := os.Hostname()
	if load.Metric["job"] != "node" || load.Metric["instance"] != host {
		t.Errorf("node_load1 has labels %v, want job=node and instance=%s", load.Metric, host)
	}
	if err := getOK(t.Context(), p.url()+"/"); err != nil {
		t.Error("the page: ", err)
	}
	p.stop()
	if log := p.log.String(); strings.Contains(log, "level=ERROR") || strings.Contains(log, "level=WARN") {
		t.Errorf("an undisturbed run complains:\n%s", log)
	}
}

func TestPromtoolQueries(t *testing.T) {
	promtool := tool(t, "promtool")
	p := up(t, t.TempDir())
	one(t, p.url(), "up", 5*time.Second)
	eventually(t, 15*time.Second, "two samples", func() error {
		got, err := query(t.Context(), p.url(), "rate(node_cpu_seconds_total[1m])")
		if err == nil && len(got) == 0 {
			err = fmt.Errorf("no rate yet")
		}
		return err
	})
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"query", "instant", p.url(), "up"}, `up{`},
		{[]string{"query", "range", p.url(), "rate(node_cpu_seconds_total[1m])"}, `mode="idle"`},
		{[]string{"query", "series", "--match=up", p.url()}, `job="node"`},
		{[]string{"query", "labels", p.url(), "mode"}, "iowait"},
	} {
		out, err := exec.CommandContext(t.Context(), promtool, c.args...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), c.want) {
			t.Errorf("promtool %s: %v, want %q in\n%s", strings.Join(c.args, " "), err, c.want, out)
		}
	}
}

// TestTopOnce asks for the hosts as a script does, of a dashboard and of nobody.
func TestTopOnce(t *testing.T) {
	p := up(t, t.TempDir())
	host, _ := os.Hostname()
	top := func(server string) (string, error) {
		out, err := exec.CommandContext(t.Context(), filepath.Join(bin, "thump"), "top", "--once", "--server", server).CombinedOutput()
		return string(out), err
	}
	eventually(t, 30*time.Second, "this host in thump top", func() error {
		out, err := top(p.url())
		if err == nil && !strings.Contains(out, host) {
			err = fmt.Errorf("no %s in\n%s", host, out)
		}
		return err
	})
	if out, err := top("http://" + ports(t, 1)[0]); err == nil || !strings.Contains(out, "refused") {
		t.Errorf("with nobody there: %v, %s", err, out)
	}
}

// TestPika lets a foreign client tap the stream and publish a metric, each in
// about ten lines.
func TestPika(t *testing.T) {
	python := tool(t, "/usr/bin/python3")
	if err := exec.Command(python, "-c", "import pika").Run(); err != nil {
		tool(t, "python3-pika, Debian's package,")
	}
	p := up(t, t.TempDir())
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tap := exec.CommandContext(ctx, python, "testdata/tap.py", p.amqpURL(), "5")
	out, err := tap.CombinedOutput()
	if err != nil {
		t.Fatalf("tap: %v\n%s", err, out)
	}
	host, _ := os.Hostname()
	if n := bytes.Count(out, []byte("."+telemetry.Word(host)+".")); n != 5 {
		t.Errorf("the tap printed %d batches of this host, want 5:\n%s", n, out)
	}
	if out, err := exec.CommandContext(ctx, python, "testdata/publish.py", p.amqpURL(), "orders_total", "42").CombinedOutput(); err != nil {
		t.Fatalf("publish: %v\n%s", err, out)
	}
	published := time.Now()
	if got := one(t, p.url(), `orders_total{shop="7"}`, time.Second).number(t); got != 42 {
		t.Errorf("orders_total is %v, want 42", got)
	}
	t.Logf("the query API answers %v after the confirm", time.Since(published).Round(time.Millisecond))
}

func TestMistakesAreNamed(t *testing.T) {
	dir := t.TempDir()
	p := up(t, dir)
	free := ports(t, 2)
	bad := filepath.Join(t.TempDir(), "thump.yaml")
	if err := os.WriteFile(bad, []byte("http: 127.0.0.1:0\ncolector:\n  retention: 1d\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		want []string
	}{
		"HTTP port taken":        {[]string{"--data-dir", t.TempDir(), "--amqp", free[0], "--http", p.http}, []string{p.http, "in use", "--http"}},
		"AMQP port taken":        {[]string{"--data-dir", t.TempDir(), "--amqp", p.amqp, "--http", free[1]}, []string{p.amqp, "in use", "--amqp"}},
		"data folder in use":     {[]string{"--data-dir", dir, "--amqp", free[0], "--http", free[1]}, []string{dir, "used by another thump"}},
		"data folder unwritable": {[]string{"--data-dir", "/proc/nowhere", "--amqp", free[0], "--http", free[1]}, []string{"/proc/nowhere", "--data-dir"}},
		"unknown key":            {[]string{"--config", bad}, []string{bad, "line 2", "colector"}},
		"no such file":           {[]string{"--config", "/nowhere.yaml"}, []string{"/nowhere.yaml", "no such file"}},
		"unknown flag":           {[]string{"--htpp", "x"}, []string{"--htpp"}},
		"broker URL":             {[]string{"--data-dir", t.TempDir(), "--bus", "http://guest:secret@x/"}, []string{"http://guest:xxxxx@x/", "amqp"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := launch(t, "thump", append([]string{"up"}, c.args...)...)
			if err := d.wait(10 * time.Second); err == nil || err.Error() != "exit status 1" {
				t.Errorf("ended with %v, want exit status 1", err)
			}
			for _, w := range c.want {
				if !strings.Contains(d.log.String(), w) {
					t.Errorf("the message does not say %q:\n%s", w, d.log.String())
				}
			}
		})
	}
}
