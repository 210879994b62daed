package contract

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"thump/internal/bus"
)

// pipeline is a `thump up` and a publisher beside it.
type pipeline struct {
	t                            *testing.T
	data, http, amqp, management string
	args                         []string
	cmd                          *exec.Cmd
	log                          *strings.Builder
	bus                          bus.Bus
}

func up(t *testing.T, args ...string) *pipeline {
	t.Helper()
	a := ports(t, 3)
	p := &pipeline{t: t, data: t.TempDir(), http: a[0], amqp: a[1], management: a[2], args: args}
	p.start()
	t.Cleanup(p.kill)
	b, err := bus.Open(bus.Config{URLs: []string{"amqp://guest:guest@" + p.amqp + "/"}}, bus.Options{Name: "test", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() { _ = b.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	p.bus = b
	return p
}

// start runs it, again after an end, on the same addresses and data.
func (p *pipeline) start() {
	p.t.Helper()
	p.log = &strings.Builder{}
	p.cmd = exec.Command(filepath.Join(bin, "thump"), append([]string{"up", "--data-dir", p.data, "--http", p.http, "--amqp", p.amqp, "--management", p.management}, p.args...)...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	eventually(p.t, "thump up is ready", func() error { return getOK(p.url() + "/readyz") })
}

func (p *pipeline) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	if p.t.Failed() {
		p.t.Logf("thump up printed:\n%s", p.log)
	}
}

func (p *pipeline) url() string { return "http://" + p.http }

// settings of a data source that uses this pipeline.
func (p *pipeline) settings() settings {
	return settings{url: p.url(), amqp: "amqp://" + p.amqp + "/", user: "guest", password: "guest"}
}

// publish sends JSON metrics as a script does, and waits for the broker's word.
func (p *pipeline) publish(key, body string) {
	p.t.Helper()
	eventually(p.t, "published", func() error {
		ctx, cancel := context.WithTimeout(p.t.Context(), 10*time.Second)
		defer cancel()
		return p.bus.Publish(ctx, "thump.metrics", &bus.Message{Key: key, ContentType: "application/json", Body: []byte(body)})
	})
}

// orders publishes one sample of this moment.
func (p *pipeline) orders(value float64) {
	p.t.Helper()
	p.publish("shop.till7.orders", fmt.Sprintf(`{"name":"orders","labels":{"instance":"till7","group":"shop"},"value":%v}`, value))
}

func getOK(url string) error {
	_, err := fetch(url)
	return err
}

func fetch(url string) ([]byte, error) {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.SetBasicAuth("guest", "guest")
	client := http.Client{Timeout: 10 * time.Second}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s: %s", url, res.Status, body)
	}
	return body, err
}

// eventually runs try until it returns nil.
func eventually(t *testing.T, what string, try func() error) {
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

// wire is a cable to an address that can be cut and mended.
type wire struct {
	listener net.Listener
	to       string

	mu    sync.Mutex
	cut   bool                  // guarded by mu
	conns map[net.Conn]struct{} // guarded by mu
}

func newWire(t *testing.T, to string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{listener: l, to: to, conns: map[net.Conn]struct{}{}}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { w.carry(c) })
		}
	})
	t.Cleanup(func() { l.Close(); w.set(true); serving.Wait() })
	return w
}

func (w *wire) carry(c net.Conn) {
	defer c.Close()
	far, err := net.Dial("tcp", w.to)
	if err != nil {
		return
	}
	defer far.Close()
	if !w.add(c, far) {
		return
	}
	var there sync.WaitGroup
	there.Go(func() { _, _ = io.Copy(far, c); far.Close() })
	_, _ = io.Copy(c, far)
	c.Close()
	there.Wait()
}

func (w *wire) add(conns ...net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range conns {
		w.conns[c] = struct{}{}
	}
	return !w.cut
}

// set cuts, or mends.
func (w *wire) set(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
	if cut {
		for c := range w.conns {
			c.Close()
		}
		clear(w.conns)
	}
}
