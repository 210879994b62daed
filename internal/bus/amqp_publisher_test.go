package bus

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"thump/broker"
)

// TestRefused has a full queue refuse: after a second the link publishes on
// another channel, since on RabbitMQ it may be the channel that is refused. On
// that one all is as before.
func TestRefused(t *testing.T) {
	l := linkTo(t, Topology{
		Exchanges: []Exchange{{Name: "in", Kind: "topic"}},
		Queues:    []Queue{{Name: "full", Args: Args{"x-max-length": int32(1), "x-overflow": "reject-publish"}}, {Name: "free"}},
		Bindings:  []Binding{{Source: "in", Key: "full", Destination: "full"}, {Source: "in", Key: "free", Destination: "free"}},
	})
	publish := func(key string, want error) {
		t.Helper()
		if err := l.Publish(t.Context(), "in", &Message{Key: key}); !errors.Is(err, want) {
			t.Fatalf("publish to %s: %v, want %v", key, err, want)
		}
	}
	publish("full", nil)
	first := l.publisher.Load()
	for deadline := time.Now().Add(30 * time.Second); l.publisher.Load() == first; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("still publishing on the channel that is refused")
		}
		publish("full", ErrRefused)
	}
	if age := time.Since(first.opened); age < renewAfter {
		t.Errorf("replaced after %v already", age)
	}
	<-first.closed
	publish("free", nil)
	publish("nobody", ErrUnroutable)
	select {
	case <-l.Ended():
		t.Errorf("the link has ended: %v", l.Reason())
	default:
	}
}

// TestException has the publishing channel end by an exception: so does the link,
// and says why.
func TestException(t *testing.T) {
	l := linkTo(t, Topology{})
	if err := l.Publish(t.Context(), "missing", &Message{}); !errors.Is(err, ErrLinkLost) {
		t.Errorf("publish to an exchange that is missing: %v, want ErrLinkLost", err)
	}
	select {
	case <-l.Ended():
	case <-time.After(30 * time.Second):
		t.Fatal("the link goes on")
	}
	if err := l.cause.Load(); err == nil || err.Code != 404 {
		t.Errorf("ended by %v, want a 404", l.Reason())
	}
}

// linkTo is a link to a built-in broker, both until the test ends.
func linkTo(t *testing.T, topology Topology) *amqpLink {
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
	t.Cleanup(func() { cancel(); <-done })
	own := DefaultConfig()
	l, err := dialAMQP(t.Context(), "amqp://guest:guest@"+b.Addr().String()+"/", &own, &Options{Name: t.Name(), Topology: topology})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l.(*amqpLink)
}
