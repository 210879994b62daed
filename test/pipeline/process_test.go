// Package pipeline tests the programs as a user runs them: real processes, real
// sockets, foreign clients.
package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// bin is the folder of the programs under test.
var bin string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "thump-bin")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		bin = dir
		build := exec.Command("go", "build", "-o", dir, "thump/cmd/thump", "thump/cmd/thump-agent")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build the programs: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// daemon is one running program.
type daemon struct {
	t    *testing.T
	cmd  *exec.Cmd
	log  *output
	done chan error // holds the result once it has ended
}

// output collects what a program writes.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// launch starts a program; it is killed when the test ends.
func launch(t *testing.T, program string, args ...string) *daemon {
	t.Helper()
	d := &daemon{t: t, cmd: exec.Command(filepath.Join(bin, program), args...), log: &output{}, done: make(chan error, 1)}
	d.cmd.Stdout, d.cmd.Stderr = d.log, d.log
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { d.done <- d.cmd.Wait() }()
	t.Cleanup(func() {
		d.kill()
		if t.Failed() {
			t.Logf("%s %s printed:\n%s", program, strings.Join(args, " "), tail(d.log.String(), 60))
		}
	})
	return d
}

func tail(s string, lines int) string {
	all := strings.Split(s, "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// kill ends the program as a power cut would, as far as it can tell.
func (d *daemon) kill() {
	_ = d.cmd.Process.Kill()
	d.wait(10 * time.Second)
}

// stop ends it the way a service manager does; it has 5 s.
func (d *daemon) stop() {
	d.t.Helper()
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	if err := d.wait(5 * time.Second); err != nil {
		d.t.Errorf("after SIGTERM: %v", err)
	}
}

func (d *daemon) wait(limit time.Duration) error {
	select {
	case err := <-d.done:
		d.done <- err
		return err
	case <-time.After(limit):
		return errors.New("still running after " + limit.String())
	}
}

// ports returns n addresses on which nobody listens.
func ports(t *testing.T, n int) []string {
	t.Helper()
	var addrs []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		addrs = append(addrs, l.Addr().String())
	}
	return addrs
}

// eventually runs try until it returns nil, and fails the test after limit.
func eventually(t *testing.T, limit time.Duration, what string, try func() error) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v: %v", what, limit, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// pipeline is a `thump up` with its addresses.
type pipeline struct {
	*daemon
	data, http, amqp string
	bus              string // the engine in the place of its own broker; "": its own
	args             []string
}

func (p *pipeline) url() string     { return "http://" + p.http }
func (p *pipeline) amqpURL() string { return "amqp://guest:guest@" + p.amqp + "/" }

// busURL is where its messages pass.
func (p *pipeline) busURL() string {
	if p.bus != "" {
		return p.bus
	}
	return p.amqpURL()
}

// up starts the whole pipeline in a folder and waits until it is ready.
func up(t *testing.T, data string, args ...string) *pipeline {
	t.Helper()
	a := ports(t, 2)
	p := &pipeline{data: data, http: a[0], amqp: a[1], args: args}
	p.start(t)
	return p
}

// start runs it, again after an end, on the same addresses and data.
func (p *pipeline) start(t *testing.T) {
	t.Helper()
	p.daemon = launch(t, "thump", append([]string{"up", "--data-dir", p.data, "--http", p.http, "--amqp", p.amqp, "--management", "127.0.0.1:0"}, p.args...)...)
	eventually(t, 20*time.Second, "ready", func() error { return p.alive(getOK(t.Context(), p.url()+"/readyz")) })
}

// alive turns err into the program's end if it has ended.
func (p *pipeline) alive(err error) error {
	select {
	case end := <-p.done:
		p.t.Fatalf("thump up ended: %v\n%s", end, tail(p.log.String(), 40))
	default:
	}
	return err
}

func getOK(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, res.Status)
	}
	return nil
}

// tool returns a foreign program, or skips the test; where CI is set, which has
// to have it, the test fails instead.
func tool(t *testing.T, path string) string {
	t.Helper()
	p, err := exec.LookPath(path)
	switch {
	case err == nil:
		return p
	case os.Getenv("CI") != "":
		t.Fatalf("%s is missing", path)
	}
	t.Skipf("%s is not installed", path)
	return ""
}
