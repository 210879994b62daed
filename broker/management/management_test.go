package management_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/goleak"

	"thump/broker"
	"thump/broker/management"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a broker with its management API.
type world struct {
	t         *testing.T
	amqp, api string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	cfg := broker.DefaultConfig()
	cfg.DataDir, cfg.AMQP = t.TempDir(), []string{"127.0.0.1:0"}
	log := slog.New(slog.DiscardHandler)
	b, err := broker.New(cfg, broker.Deps{Logger: log, Registerer: prometheus.NewRegistry(), Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	m, err := management.New(management.Config{Address: "127.0.0.1:0"}, management.Deps{Broker: b, Logger: log, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, run := range []func(context.Context) error{b.Run, m.Run} {
		running.Go(func() {
			if err := run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		cancel()
		running.Wait()
	})
	return &world{t: t, amqp: b.Addr().String(), api: m.Addr().String()}
}

// ask sends a request as user:password, guest if empty, and returns status, body
// and header.
func (w *world) ask(login, method, path, body string) (int, string, http.Header) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, "http://"+w.api+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if login == "" {
		login = "guest:guest"
	}
	user, password, _ := strings.Cut(login, ":")
	req.SetBasicAuth(user, password)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return res.StatusCode, strings.TrimSpace(string(text)), res.Header
}

// must sends a request that has to answer with the status.
func (w *world) must(status int, method, path, body string) string {
	w.t.Helper()
	got, text, _ := w.ask("", method, path, body)
	if got != status {
		w.t.Fatalf("%s %s %s: %d %s, want %d", method, path, body, got, text, status)
	}
	return text
}

// read decodes what GET answers.
func read[T any](w *world, path string) (v T) {
	w.t.Helper()
	if err := json.Unmarshal([]byte(w.must(200, "GET", path, "")), &v); err != nil {
		w.t.Fatal(err)
	}
	return v
}

func (w *world) dial() *amqp.Channel {
	w.t.Helper()
	conn, err := amqp.Dial("amqp://guest:guest@" + w.amqp + "/")
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close() })
	ch, err := conn.Channel()
	if err != nil {
		w.t.Fatal(err)
	}
	return ch
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 5s: %s", what)
		}
	}
}

// tool returns the path of a foreign program; without it the test is skipped, and
// where CI is set it fails.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil && os.Getenv("CI") != "" {
		t.Fatalf("%s is missing: apt-get install rabbitmq-server", name)
	}
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	return path
}

// admin runs rabbitmqadmin.
func (w *world) admin(stdin string, args ...string) string {
	w.t.Helper()
	host, port, _ := strings.Cut(w.api, ":")
	cmd := exec.CommandContext(w.t.Context(), tool(w.t, "rabbitmqadmin"), append([]string{"-H", host, "-P", port, "-f", "tsv"}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		w.t.Fatalf("rabbitmqadmin %s: %v\n%s%s", strings.Join(args, " "), err, out.String(), errs.String())
	}
	return strings.TrimRight(out.String(), "\n")
}
