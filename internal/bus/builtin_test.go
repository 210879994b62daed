package bus_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"thump/broker"
)

// TestBuiltInBroker runs the contract against the built-in broker.
func TestBuiltInBroker(t *testing.T) { contract(t, builtIn(t)) }

// builtIn runs a built-in broker until the test ends and returns its URL.
func builtIn(t *testing.T) string {
	t.Helper()
	cfg := broker.DefaultConfig()
	cfg.DataDir, cfg.AMQP = t.TempDir(), []string{"127.0.0.1:0"}
	b, err := broker.New(cfg, broker.Deps{Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error("broker:", err)
		}
	})
	return "amqp://guest:guest@" + b.Addr().String() + "/"
}
