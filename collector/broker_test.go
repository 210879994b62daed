package collector_test

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"thump/broker"
	"thump/internal/bus"
	"thump/internal/telemetry"
)

// startBroker runs the built-in broker; with port 0 it picks one.
func startBroker(t *testing.T, dir, addr string) (at string, stop func()) {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	cfg := broker.DefaultConfig()
	cfg.DataDir, cfg.AMQP = dir, []string{addr}
	b, err := broker.New(cfg, broker.Deps{Logger: log, Registerer: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("broker: %v", err)
		}
	})
	t.Cleanup(stop)
	return b.Addr().String(), stop
}

// openBus connects to a broker, for as long as the test runs.
func openBus(t *testing.T, addr, name string) bus.Bus {
	t.Helper()
	b, err := bus.Open(bus.Config{URLs: []string{"amqp://guest:guest@" + addr + "/"}}, bus.Options{
		Name: name, Topology: telemetry.Topology(), Registerer: prometheus.NewRegistry(),
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	ready, cancelReady := context.WithTimeout(ctx, 10*time.Second)
	defer cancelReady()
	if err := b.Ready(ready); err != nil {
		t.Fatal(err)
	}
	return b
}

// publish repeats a message until the broker has confirmed it, as an agent does.
func publish(t *testing.T, b bus.Bus, m *bus.Message) {
	t.Helper()
	until(t, func() bool {
		err := b.Publish(t.Context(), telemetry.MetricsExchange, m)
		if err != nil && !errors.Is(err, bus.ErrNotConnected) && !errors.Is(err, bus.ErrLinkLost) {
			t.Fatal(err)
		}
		return err == nil
	})
}

// TestBroker takes confirmed messages through the real broker, which restarts
// meanwhile: each of them is in history, once.
func TestBroker(t *testing.T) {
	dir := t.TempDir()
	addr, stop := startBroker(t, dir, "127.0.0.1:0")
	c, _, _ := start(t, openBus(t, addr, "collector"))
	agent := openBus(t, addr, "agent")
	const n = 300
	for i := range n {
		if i == n/3 || i == n*2/3 {
			stop()
			_, stop = startBroker(t, dir, addr)
		}
		publish(t, agent, sample(i, now.Add(time.Duration(i-n)*time.Second), 1))
	}
	publish(t, agent, jsonMessage(`{"name":"last","value":1}`))
	until(t, func() bool { return value(t, c, "last") != "" })
	expect(t, c, "count_over_time(m[1h])", strconv.Itoa(n))
}

func TestBrokerKeepsTheRejected(t *testing.T) {
	addr, _ := startBroker(t, t.TempDir(), "127.0.0.1:0")
	c, _, _ := start(t, openBus(t, addr, "collector"))
	agent := openBus(t, addr, "agent")
	rejected, err := agent.Subscribe(t.Context(), bus.Subscription{Queue: telemetry.RejectedQueue})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		publish(t, agent, jsonMessage(`{"name":"no value"}`))
		publish(t, agent, sample(0, now, 1))
		select {
		case d := <-rejected:
			if string(d.Body) != `{"name":"no value"}` {
				t.Errorf("rejected %q", d.Body)
			}
			if err := d.Ack(false); err != nil {
				t.Error(err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("nothing in the dead-letter queue")
		}
	}
	until(t, func() bool { return value(t, c, "m") == "1" })
}
