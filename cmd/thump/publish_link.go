package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"thump/internal/bus"
	"thump/internal/bus/redis"
	"thump/internal/telemetry"
)

// withBus gives do a link to the broker, for as long as do runs.
func withBus(ctx context.Context, cfg bus.Config, name string, log *slog.Logger, do func(context.Context, bus.Bus) error) error {
	return withTopology(ctx, cfg, telemetry.Topology(), name, log, do)
}

// withTopology is withBus for one that declares what it is told.
func withTopology(ctx context.Context, cfg bus.Config, t bus.Topology, name string, log *slog.Logger, do func(context.Context, bus.Bus) error) error {
	b, err := bus.Open(cfg, bus.Options{
		Name: name, Topology: t, Logger: log, Registerer: prometheus.NewRegistry(),
		Transports: []bus.Transport{redis.Transport()},
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	err = do(ctx, b)
	cancel()
	return errors.Join(err, <-ended)
}

// notes is a slog.Handler for someone at a terminal: a line for each record,
// without time and level. It keeps the last error said.
type notes struct {
	mu   sync.Mutex
	w    io.Writer // guarded by mu
	last error     // guarded by mu
}

// Enabled implements slog.Handler.
func (n *notes) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }

// Handle implements slog.Handler.
func (n *notes) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString("thump: " + r.Message)
	n.mu.Lock()
	defer n.mu.Unlock()
	r.Attrs(func(a slog.Attr) bool {
		if err, ok := a.Value.Any().(error); ok {
			n.last = err
		}
		fmt.Fprintf(&b, ", %s: %v", a.Key, a.Value)
		return true
	})
	_, err := io.WriteString(n.w, b.String()+"\n")
	return err
}

// reason is the last error said, or else.
func (n *notes) reason(otherwise error) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.last != nil {
		return n.last
	}
	return otherwise
}

// WithAttrs implements slog.Handler; nobody who is given one adds attributes.
func (n *notes) WithAttrs([]slog.Attr) slog.Handler { return n }

// WithGroup implements slog.Handler.
func (n *notes) WithGroup(string) slog.Handler { return n }
