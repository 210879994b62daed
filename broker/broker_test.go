package broker_test

import (
	"context"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/goleak"

	"thump/broker"
	"thump/internal/vfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

// server is a broker on a port of its own.
type server struct {
	*broker.Broker
	dir      string
	registry *prometheus.Registry
	stop     func() error
}

// start runs a broker in a new folder until the test ends.
func start(t *testing.T, change ...func(*broker.Config)) *server {
	t.Helper()
	return startIn(t, t.TempDir(), change...)
}

func startIn(t *testing.T, dir string, change ...func(*broker.Config)) *server {
	t.Helper()
	s := startOn(t, nil, dir, change...)
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Errorf("run: %v", err)
		}
	})
	return s
}

// startOn runs a broker whose message log is on a disk of its own; its end and
// the error of that are the caller's.
func startOn(t *testing.T, disk vfs.FS, dir string, change ...func(*broker.Config)) *server {
	t.Helper()
	cfg := broker.DefaultConfig()
	cfg.DataDir = dir
	cfg.AMQP = []string{"127.0.0.1:0"}
	cfg.JournalSegment = 1 << 20
	for _, f := range change {
		f(&cfg)
	}
	s := &server{dir: dir, registry: prometheus.NewRegistry()}
	b, err := broker.New(cfg, broker.Deps{Logger: logger(t), Registerer: s.registry, Version: "test", FS: disk})
	if err != nil {
		t.Fatal(err)
	}
	s.Broker = b
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	s.stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	return s
}

// logger writes to stderr when THUMP_TEST_LOG is set.
func logger(t *testing.T) *slog.Logger {
	var w io.Writer = io.Discard
	if os.Getenv("THUMP_TEST_LOG") != "" {
		w = os.Stderr
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug})).With("test", t.Name())
}

func (s *server) url() string { return "amqp://guest:guest@" + s.Addr().String() + "/" }

func (s *server) dial(t *testing.T) *amqp.Connection {
	t.Helper()
	conn, err := amqp.Dial(s.url())
	if err != nil {
		t.Fatal("dial:", err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func (s *server) channel(t *testing.T) *amqp.Channel {
	t.Helper()
	return open(t, s.dial(t))
}

func open(t *testing.T, conn *amqp.Connection) *amqp.Channel {
	t.Helper()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal("channel:", err)
	}
	return ch
}

// metric returns the value of one of the broker's metrics.
func (s *server) metric(t *testing.T, name string) float64 {
	t.Helper()
	families, err := s.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "thump_broker_"+name {
			m := f.GetMetric()[0]
			return m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// eventually polls until ok says so.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// queue declares a queue that is neither durable nor exclusive.
func queue(t *testing.T, ch *amqp.Channel, name string) amqp.Queue {
	t.Helper()
	q, err := ch.QueueDeclare(name, false, false, false, false, nil)
	must(t, err)
	return q
}

func publish(t *testing.T, ch *amqp.Channel, exchange, key string, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		must(t, ch.PublishWithContext(t.Context(), exchange, key, false, false, amqp.Publishing{Body: []byte(body)}))
	}
}

func consume(t *testing.T, ch *amqp.Channel, queue string) <-chan amqp.Delivery {
	t.Helper()
	c, err := ch.Consume(queue, "", false, false, false, false, nil)
	must(t, err)
	return c
}

func next(t *testing.T, c <-chan amqp.Delivery) amqp.Delivery {
	t.Helper()
	d := receive(t, c)
	if d.Acknowledger == nil {
		t.Fatal("the consumer's channel was closed")
	}
	return d
}

// nothing fails if something arrives within a moment.
func nothing[T any](t *testing.T, c <-chan T) {
	t.Helper()
	select {
	case v := <-c:
		t.Fatalf("got %+v, want nothing", v)
	case <-time.After(100 * time.Millisecond):
	}
}

func receive[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("nothing within %s", patience)
		panic("unreachable")
	}
}

// wantException checks an error for reply code and text.
func wantException(t *testing.T, err error, code int, text string) {
	t.Helper()
	e, ok := err.(*amqp.Error)
	if !ok || e.Code != code || !strings.Contains(e.Reason, text) {
		t.Errorf("got %v, want exception %d with %q", err, code, text)
	}
}
