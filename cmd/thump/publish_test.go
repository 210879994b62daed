package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	amqp "github.com/rabbitmq/amqp091-go"

	"thump/broker"
	"thump/internal/telemetry"
)

// startAMQP runs a broker at an address until stop is called, or the test ends.
func startAMQP(t *testing.T, dir, address string) (url string, stop func()) {
	t.Helper()
	cfg := broker.DefaultConfig()
	cfg.DataDir, cfg.AMQP = dir, []string{address}
	b, err := broker.New(cfg, broker.Deps{Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(), Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := b.Run(ctx); err != nil {
			t.Error("broker:", err)
		}
	}()
	stop = func() { cancel(); <-ended }
	t.Cleanup(stop)
	return "amqp://guest:guest@" + b.Addr().String() + "/", stop
}

// runPublish runs `thump publish` with some standard input.
func runPublish(t *testing.T, in io.Reader, args ...string) error {
	t.Helper()
	cmd := newRoot()
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetIn(in)
	cmd.SetArgs(append([]string{"publish", "--timeout", "30s"}, args...))
	err := cmd.ExecuteContext(t.Context())
	if out.Len() > 0 {
		t.Errorf("publish %v prints %s", args, &out)
	}
	return err
}

// client is a channel of a foreign client.
func client(t *testing.T, url string) *amqp.Channel {
	t.Helper()
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

// next takes the message that is ready in history's queue: the confirm came
// after it was put there.
func next(t *testing.T, ch *amqp.Channel) amqp.Delivery {
	t.Helper()
	d, ok, err := ch.Get(telemetry.HistoryQueue, true)
	if err != nil || !ok {
		t.Fatalf("no message in %s: %v", telemetry.HistoryQueue, err)
	}
	return d
}

func TestPublish(t *testing.T) {
	url, _ := startAMQP(t, t.TempDir(), "127.0.0.1:0")
	ch := client(t, url)
	for _, c := range []struct{ line, in, body string }{
		{line: "orders_total 17 -l shop=7 -l till=a=b --time 1790000000.5",
			body: `{"name":"orders_total","labels":{"shop":"7","till":"a=b"},"value":17,"timestamp":1790000000.5}`},
		{line: "--time 2026-01-02T03:04:05Z -- celsius -4.5", body: `{"name":"celsius","value":-4.5,"timestamp":1767323045}`},
		{line: "ratio +Inf --time 1790000000", body: `{"name":"ratio","value":"+Inf","timestamp":1790000000}`},
		{line: "--stdin", in: `up{instance="a b"} 1 1790000000123`,
			body: `{"name":"up","labels":{"instance":"a b"},"value":1,"timestamp":1790000000.123}`},
		{line: "--stdin", in: "# TYPE x gauge\n\n" + `{"http.requests",code="200"} NaN 1790000000000` + "\n",
			body: `{"name":"http.requests","labels":{"code":"200"},"value":"NaN","timestamp":1790000000}`},
		{line: "--stdin", in: `[{"name":"a","value":1,"timestamp":1790000000},{"name":"b","value":2,"timestamp":1790000000}]`,
			body: `[{"name":"a","value":1,"timestamp":1790000000},{"name":"b","value":2,"timestamp":1790000000}]`},
	} {
		if err := runPublish(t, strings.NewReader(c.in), append([]string{"--bus", url}, strings.Fields(c.line)...)...); err != nil {
			t.Errorf("publish %s: %v", c.line, err)
			continue
		}
		d := next(t, ch)
		if string(d.Body) != c.body {
			t.Errorf("publish %s sends\n%s\nwant\n%s", c.line, d.Body, c.body)
		}
		if d.ContentType != "application/json" || d.Type != "metrics" || d.DeliveryMode != amqp.Persistent || d.MessageId == "" {
			t.Errorf("publish %s sends properties %s, %s, %d, %q", c.line, d.ContentType, d.Type, d.DeliveryMode, d.MessageId)
		}
	}
	if err := runPublish(t, nil, "--bus", url, "--key", "web.web01.orders", "orders", "1"); err != nil {
		t.Error(err)
	}
	if key := next(t, ch).RoutingKey; key != "web.web01.orders" {
		t.Errorf("routing key %s, want that of --key", key)
	}
}

func TestPublishRefuses(t *testing.T) {
	url, _ := startAMQP(t, t.TempDir(), "127.0.0.1:0")
	for _, c := range []struct{ line, in, want string }{
		{line: "7up 1", want: `bad name "7up"`},
		{line: "up one", want: `value "one" is not a number`},
		{line: "up 1 -l a", want: `bad label "a"`},
		{line: "up 1 -l __name__=x", want: `bad label "__name__=x"`},
		{line: "up 1 -l a=1 -l a=2", want: `label "a" twice`},
		{line: "up 1 --time soon", want: `--time "soon"`},
		{line: "up -5", want: "a negative VALUE goes behind --, at the end: NAME -- -5"},
		{line: "up", want: "accepts 2 arg(s), received 1"},
		{line: "--stdin up 1", want: "unknown command"},
		{line: "--stdin -l a=b", want: "go with NAME VALUE"},
		{line: "--stdin", in: "a 1\n\nb{x=} 2\n", want: "line 3: "},
		{line: "--stdin", in: `{"name":"a","valeu":1}`, want: `line 1: decode JSON metric: json: unknown field "valeu"`},
		{line: "--stdin", in: strings.Repeat("x", 70_000), want: "read line 1: "},
		{line: "up 1 --bus http://x/", want: `scheme "http"`},
	} {
		err := runPublish(t, strings.NewReader(c.in), append([]string{"--bus", url}, strings.Fields(c.line)...)...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("publish %s says %v, want %s", c.line, err, c.want)
		}
	}
	if d := next(t, client(t, url)); string(d.Body[:11]) != `{"name":"a"` {
		t.Errorf("the line before the bad one is %s", d.Body)
	}
}

func TestPublishWithoutBroker(t *testing.T) {
	start := time.Now()
	err := runPublish(t, nil, "--bus", "amqp://guest:secret@127.0.0.1:1/", "--timeout", "2s", "up", "1")
	if err == nil || !strings.Contains(err.Error(), "within 2s: connect to amqp://guest:xxxxx@127.0.0.1:1/") || !strings.Contains(err.Error(), "refused") {
		t.Errorf("without a broker: %v", err)
	}
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("it took %v", d)
	}
}

// TestPublishUnroutable takes the queues away between two lines.
func TestPublishUnroutable(t *testing.T) {
	url, _ := startAMQP(t, t.TempDir(), "127.0.0.1:0")
	in, lines := io.Pipe()
	failed := make(chan error, 1)
	go func() {
		failed <- errors.Join(feed(url, lines), lines.Close())
	}()
	err := runPublish(t, in, "--bus", url, "--stdin")
	if want := "no queue is bound for it (1 metrics published before)"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("publish says %v, want %s", err, want)
	}
	if err := <-failed; err != nil {
		t.Error(err)
	}
}

// feed writes a line, waits until it has arrived, deletes the queues of the
// metrics and writes another.
func feed(url string, w io.Writer) (err error) {
	conn, err := amqp.Dial(url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if _, err := io.WriteString(w, "a 1\n"); err != nil {
		return err
	}
	if err := arrived(conn, telemetry.AlertingQueue); err != nil {
		return err
	}
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	for _, q := range []string{telemetry.HistoryQueue, telemetry.AlertingQueue} {
		if _, err := ch.QueueDelete(q, false, false, false); err != nil {
			return err
		}
	}
	_, err = io.WriteString(w, "b 2\n")
	return err
}

// arrived waits until a queue, which may not be there yet, has a message.
func arrived(conn *amqp.Connection, queue string) error {
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		ch, err := conn.Channel()
		if err != nil {
			return err
		}
		q, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
		if err == nil {
			err = ch.Close()
		}
		if err == nil && q.Messages > 0 {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return errors.New("nothing arrived in " + queue)
}
