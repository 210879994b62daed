package model

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait for the broker; a loaded machine needs most of it.
const patience = 30 * time.Second

// bin is the folder of the program under test.
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
		build := exec.Command("go", "build", "-o", dir, "thump/cmd/thump")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build the program: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// node is the broker under test: one folder and its addresses, through many
// processes.
type node struct {
	t                      *testing.T
	data, amqp, management string

	cmd  *exec.Cmd
	done chan error // holds the result of cmd once it has ended
	log  output
}

// output collects what the processes write.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) tail(lines int) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := strings.Split(o.b.String(), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

func newNode(t *testing.T) *node {
	n := &node{t: t, data: t.TempDir(), amqp: port(t), management: port(t)}
	t.Cleanup(func() {
		n.kill()
		if t.Failed() {
			t.Logf("the broker printed:\n%s", n.log.tail(40))
		}
	})
	return n
}

// port returns an address on which nobody listens.
func port(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start runs the program and waits until it takes connections and answers for
// its queues.
func (n *node) start() {
	n.t.Helper()
	n.cmd = exec.Command(filepath.Join(bin, "thump"), "broker", "--data-dir", n.data,
		"--amqp", n.amqp, "--http", "127.0.0.1:0", "--management", n.management)
	n.cmd.Stdout, n.cmd.Stderr = &n.log, &n.log
	if err := n.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	done := make(chan error, 1)
	n.done = done
	go func(cmd *exec.Cmd) { done <- cmd.Wait() }(n.cmd)
	eventually(n.t, "the broker to start", func() error {
		select {
		case end := <-done:
			n.t.Fatalf("the broker ended: %v\n%s", end, n.log.tail(40))
		default:
		}
		c, err := net.Dial("tcp", n.amqp)
		if err != nil {
			return err
		}
		_ = c.Close()
		return n.get("/api/queues", &[]queueCounts{})
	})
}

// kill ends the process as a crash would.
func (n *node) kill() {
	if n.cmd == nil {
		return
	}
	_ = n.cmd.Process.Kill()
	_ = n.wait()
}

// stop ends it the way a service manager does.
func (n *node) stop() {
	n.t.Helper()
	_ = n.cmd.Process.Signal(syscall.SIGTERM)
	if err := n.wait(); err != nil {
		n.t.Fatalf("after SIGTERM: %v", err)
	}
}

func (n *node) wait() error {
	select {
	case err := <-n.done:
		n.cmd = nil
		return err
	case <-time.After(patience):
		return errors.New("still running")
	}
}

// eventually runs try until it returns nil, and fails the test when that takes
// too long.
func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waiting for %s: %v", what, err)
		}
		time.Sleep(2 * time.Millisecond)
	}
}
