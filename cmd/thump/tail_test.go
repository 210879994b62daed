package main

import (
	"bytes"
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"thump/internal/telemetry"
)

// written is a buffer that one goroutine writes and another reads.
type written struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

// Write implements io.Writer.
func (w *written) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.Write(b)
}

// String is what has been written.
func (w *written) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}

// await waits until what has been written has so many of part.
func (w *written) await(t *testing.T, part string, n int) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); strings.Count(w.String(), part) < n; {
		if time.Now().After(deadline) {
			t.Fatalf("no %d times %q in\n%s", n, part, w)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// tailing is a `thump tail` that runs.
type tailing struct {
	out, errs written
	interrupt context.CancelFunc
	ended     chan error
}

// startTail returns once the tail is listening.
func startTail(t *testing.T, args ...string) *tailing {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	tl := &tailing{interrupt: cancel, ended: make(chan error, 1)}
	cmd := newRoot()
	cmd.SetOut(&tl.out)
	cmd.SetErr(&tl.errs)
	cmd.SetArgs(append([]string{"tail"}, args...))
	go func() { tl.ended <- cmd.ExecuteContext(ctx) }()
	tl.errs.await(t, "thump: listening", 1)
	return tl
}

func (tl *tailing) wait(t *testing.T) {
	t.Helper()
	select {
	case err := <-tl.ended:
		if err != nil {
			t.Errorf("tail ends with %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatalf("tail does not end; it has printed\n%s%s", &tl.out, &tl.errs)
	}
}

// put publishes a batch with two series, measured at 1790000000.25.
func put(t *testing.T, url, key string) {
	t.Helper()
	in := `disk{dev="a b"} 1.5 1790000000250` + "\n" + `up 1 1790000000250`
	if err := runPublish(t, strings.NewReader(in), "--bus", url, "--stdin", "--key", key); err != nil {
		t.Fatal(err)
	}
}

// lines are those of a text with the time's hours and zone, which depend on
// where the test runs, taken out.
func lines(text string) []string {
	text = regexp.MustCompile(`(?m)^\S+T\d\d:`).ReplaceAllString(text, "")
	text = regexp.MustCompile(`(Z|[+-]\d\d:\d\d) `).ReplaceAllString(text, " ")
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

func TestTail(t *testing.T) {
	url, _ := startAMQP(t, t.TempDir(), "127.0.0.1:0")
	tl := startTail(t, "--bus", url, "*.web01.disk")
	put(t, url, "web.web02.disk")
	put(t, url, "web.web01.disk")
	tl.out.await(t, "\n", 2)
	tl.interrupt()
	tl.wait(t)
	time := time.UnixMilli(1790000000250).Format("04:05.000")
	want := []string{time + ` web.web01.disk disk{dev="a b"} 1.5`, time + " web.web01.disk up 1"}
	if got := lines(tl.out.String()); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("tail prints\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestTailLimitJSON(t *testing.T) {
	url, _ := startAMQP(t, t.TempDir(), "127.0.0.1:0")
	tl := startTail(t, "--bus", url, "-o", "json", "--limit", "3")
	put(t, url, "a.b.c")
	put(t, url, "a.b.c")
	tl.wait(t)
	const first = `{"key":"a.b.c","name":"disk","labels":{"dev":"a b"},"value":1.5,"timestamp":1790000000.25}` + "\n"
	const second = `{"key":"a.b.c","name":"up","value":1,"timestamp":1790000000.25}` + "\n"
	if got := tl.out.String(); got != first+second+first {
		t.Errorf("tail prints\n%s", got)
	}
}

func TestTailMessages(t *testing.T) {
	url, _ := startAMQP(t, t.TempDir(), "127.0.0.1:0")
	text, asJSON := startTail(t, "--bus", url, "--messages", "--limit", "1"), startTail(t, "--bus", url, "--messages", "--limit", "1", "-o", "json", "web.#")
	put(t, url, "web.web01.disk")
	text.wait(t)
	asJSON.wait(t)
	if !regexp.MustCompile(`^\S+ web\.web01\.disk host= probe= bytes=\d\d\d series=2\n$`).MatchString(text.out.String()) {
		t.Errorf("tail prints %s", &text.out)
	}
	var p passed
	if err := json.Unmarshal([]byte(asJSON.out.String()), &p); err != nil || p.Key != "web.web01.disk" || p.Series != 2 || p.Bytes < 100 {
		t.Errorf("tail prints %s, %v", &asJSON.out, err)
	}
}

func TestTailSurvivesTheBrokersRestart(t *testing.T) {
	dir := t.TempDir()
	url, stop := startAMQP(t, dir, "127.0.0.1:0")
	tl := startTail(t, "--bus", url, "--limit", "4")
	put(t, url, "a.b.c")
	tl.out.await(t, "\n", 2)
	stop()
	tl.errs.await(t, "thump: link to the broker lost", 1)
	address := strings.TrimSuffix(strings.TrimPrefix(url, "amqp://guest:guest@"), "/")
	startAMQP(t, dir, address)
	tl.errs.await(t, "thump: listening", 2)
	put(t, url, "a.b.c")
	tl.wait(t)
	if n := len(lines(tl.out.String())); n != 4 {
		t.Errorf("%d lines, want 4", n)
	}
}

// TestTailGoesOnAfterABadMessage: it says so, and shows the next.
func TestTailGoesOnAfterABadMessage(t *testing.T) {
	url, _ := startAMQP(t, t.TempDir(), "127.0.0.1:0")
	tl := startTail(t, "--bus", url, "--limit", "2")
	ch := client(t, url)
	if err := ch.PublishWithContext(t.Context(), telemetry.MetricsExchange, "a.bad.one", false, false, amqpText("nonsense")); err != nil {
		t.Fatal(err)
	}
	tl.errs.await(t, "thump: message cannot be read, key: a.bad.one", 1)
	put(t, url, "a.b.c")
	tl.wait(t)
}

func TestTailRefuses(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"-o xml", `--output "xml"`},
		{"--limit -1", "--limit -1 is negative"},
		{strings.Repeat("k", 256), "key of 256 bytes"},
		{"a b", "accepts at most 1 arg(s)"},
		{"--bus nonsense", `scheme ""`},
	} {
		cmd := newRoot()
		cmd.SetOut(&bytes.Buffer{})
		cmd.SetArgs(append([]string{"tail"}, strings.Fields(c.args)...))
		if err := cmd.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("tail %s says %v, want %s", c.args, err, c.want)
		}
	}
}

func amqpText(body string) amqp.Publishing {
	return amqp.Publishing{ContentType: telemetry.JSONContentType, Body: []byte(body)}
}
