package alerting_test

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"thump/broker"
	"thump/internal/bus"
	"thump/internal/telemetry"
)

// startBroker runs a real broker until the test ends and returns its URL.
func startBroker(t *testing.T) string {
	t.Helper()
	cfg := broker.DefaultConfig()
	cfg.DataDir, cfg.AMQP = filepath.Join(t.TempDir(), "broker"), []string{"127.0.0.1:0"}
	b, err := broker.New(cfg, broker.Deps{Logger: logger(t), Registerer: prometheus.NewRegistry(), Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	background(t, b.Run)
	return fmt.Sprintf("amqp://guest:guest@%s/", b.Addr().(*net.TCPAddr))
}

// connect returns a bus to the broker at url that runs until the test ends.
func connect(t *testing.T, url, name string) bus.Bus {
	t.Helper()
	b, err := bus.Open(bus.Config{URLs: []string{url}}, bus.Options{
		Name: name, Topology: telemetry.Topology(), Logger: logger(t), Registerer: prometheus.NewRegistry(),
	})
	if err != nil {
		t.Fatal(err)
	}
	background(t, b.Run)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := b.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	return b
}

func background(t *testing.T, run func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestThroughTheBroker(t *testing.T) {
	t.Parallel()
	url, hook := startBroker(t), newWebhook(t)
	agents := connect(t, url, "agents")
	s := newSetup(t, connect(t, url, "alerting"), busyRule, routes(hook.URL))

	// What was published while alerting was away is there when it comes.
	newAgent(t, agents, "early", time.Minute).publish("cpu", "busy", 97)
	p := s.start(t)
	hook.next(t, patience, "firing", "Busy", "early")

	// A message that cannot be read goes to the rejected, and what it publishes
	// reaches whoever has subscribed.
	alerts, err := agents.Subscribe(t.Context(), bus.Subscription{Bindings: []bus.Binding{{Source: telemetry.AlertsExchange, Key: "page.*.late"}}})
	if err != nil {
		t.Fatal(err)
	}
	rejected, err := agents.Subscribe(t.Context(), bus.Subscription{Queue: telemetry.RejectedQueue})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond) // the bindings are made
	bad := bus.Message{Key: "g.h.p", ContentType: telemetry.JSONContentType, Body: []byte("{")}
	if err := agents.Publish(t.Context(), telemetry.MetricsExchange, &bad); err != nil {
		t.Fatal(err)
	}
	newAgent(t, agents, "late", time.Minute).publish("cpu", "busy", 97)
	hook.next(t, patience, "firing", "Busy", "late")
	for name, c := range map[string]<-chan *bus.Delivery{`"firing"`: alerts, "{": rejected} {
		select {
		case d := <-c:
			if !strings.Contains(string(d.Body), name) {
				t.Errorf("got %s, want %s in it", d.Body, name)
			}
			if err := d.Ack(false); err != nil {
				t.Error(err)
			}
		case <-time.After(patience):
			t.Fatalf("no message with %s", name)
		}
	}

	// Acknowledged: nothing comes again after a restart.
	stored := p.counter(t, "thump_alerting_messages_total", "outcome=acknowledged")
	p.stop()
	p = s.start(t)
	newAgent(t, agents, "last", time.Minute).publish("cpu", "busy", 97)
	hook.next(t, patience, "firing", "Busy", "last")
	if got := p.counter(t, "thump_alerting_messages_total"); stored != 2 || got != 1 {
		t.Errorf("%v messages before the restart and %v after it, want 2 and 1", stored, got)
	}
}

func TestLatencyThroughTheBroker(t *testing.T) {
	t.Parallel()
	url, hook := startBroker(t), newWebhook(t)
	newSetup(t, connect(t, url, "alerting"), busyRule, routes(hook.URL)).start(t)
	measureLatency(t, connect(t, url, "agents"), hook, func(int) time.Duration { return 150 * time.Millisecond })
}
