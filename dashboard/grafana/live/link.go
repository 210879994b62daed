package live

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/prometheus/promql"

	"thump/dashboard/grafana/history"
	"thump/dashboard/grafana/trouble"
	"thump/internal/bus"
	"thump/internal/telemetry"
)

// Config says which broker the stream comes from.
type Config struct {
	URL  string // amqp:// or amqps://, with user and password; "": nothing is live
	TLS  *tls.Config
	Name string // of the connection, as the broker's operator sees it
}

// Live is the stream of one data source.
type Live struct {
	// Static after construction.
	cfg     Config
	shown   string // the URL without the password
	history *history.History
	log     *slog.Logger
	engine  *promql.Engine

	mu      sync.Mutex
	bus     bus.Bus              // nil while nobody watches; guarded by mu
	close   func()               // ends bus and waits for it; guarded by mu
	err     error                // why the link is down; guarded by mu
	watches map[*watch]bool      // guarded by mu
	boosted map[string]time.Time // when a host was last asked; guarded by mu
}

// Open returns the stream, which connects when somebody watches. History fills the
// past of what is watched.
func Open(cfg Config, h *history.History, log *slog.Logger) (*Live, error) {
	l := &Live{cfg: cfg, history: h, log: log, engine: newEngine(), watches: map[*watch]bool{}, boosted: map[string]time.Time{}}
	if cfg.URL == "" {
		return l, nil
	}
	u, err := url.Parse(cfg.URL)
	if err != nil {
		return nil, errors.New("the AMQP URL cannot be read: want one such as amqp://broker:5672/")
	}
	l.shown = u.Redacted()
	if _, err := bus.Open(bus.Config{URLs: []string{cfg.URL}}, l.options()); err != nil {
		return nil, fmt.Errorf("the AMQP URL: %w", err)
	}
	return l, nil
}

// options declare nothing: a panel looks on, and needs no right to configure.
func (l *Live) options() bus.Options {
	return bus.Options{Name: l.cfg.Name, Logger: l.log, TLS: l.cfg.TLS, Changed: l.changed}
}

// join adds a watcher; the first one brings the link up.
func (l *Live) join(w *watch) (bus.Bus, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bus == nil {
		b, err := bus.Open(bus.Config{URLs: []string{l.cfg.URL}}, l.options())
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = b.Run(ctx) // tries until ctx ends; what fails comes through changed
		}()
		l.bus, l.err, l.close = b, nil, func() { cancel(); <-ended }
	}
	l.watches[w] = true
	if l.err != nil {
		w.down(l.err)
	}
	return l.bus, nil
}

// leave takes a watcher away; with the last one the link goes.
func (l *Live) leave(w *watch) {
	l.mu.Lock()
	delete(l.watches, w)
	var end func()
	if len(l.watches) == 0 && l.bus != nil {
		end, l.bus, l.close = l.close, nil, nil
	}
	l.mu.Unlock()
	if end != nil {
		end()
	}
}

// changed is what the link says of itself.
func (l *Live) changed(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
	if err == nil {
		return
	}
	for w := range l.watches {
		w.down(err)
	}
}

// explain says why nothing arrives.
func (l *Live) explain(err error) string {
	if strings.Contains(err.Error(), telemetry.TopicExchange) && strings.Contains(err.Error(), "404") {
		return fmt.Sprintf("the broker at %s has no exchange %s: no thump publishes there yet, or the virtual host is another", l.shown, telemetry.TopicExchange)
	}
	return fmt.Sprintf("nothing arrives live, since the broker at %s cannot be used: %s. It is tried again by itself.",
		l.shown, trouble.Explain(err, "is a broker running there, and its --amqp reachable from Grafana's server?"))
}

// Check connects and subscribes as a panel does, and says where to.
func (l *Live) Check(ctx context.Context) (string, error) {
	if l.cfg.URL == "" {
		return "", nil
	}
	w := newWatch()
	b, err := l.join(w)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer l.leave(w)
	defer cancel()
	if _, err := b.Subscribe(ctx, w.subscription("none.none.health")); err != nil {
		return "", err
	}
	if err := w.await(ctx); err != nil {
		return "", errors.New(l.explain(err))
	}
	return l.shown, nil
}
