package receive

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"thump/internal/bus"
)

// Deps are what a receiver needs of its surroundings.
type Deps struct {
	Bus        bus.Bus
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Receiver takes in what others send.
type Receiver struct {
	// Static after construction.
	cfg     Config
	bus     bus.Bus
	log     *slog.Logger
	metrics *metrics
	publish *publisher
	pushed  *pushed
	slots   chan struct{} // one for each request being read
}

// New returns a receiver that answers requests at once; Run does the rest.
func New(cfg Config, deps Deps) (*Receiver, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("receive: %w", err)
	}
	r := &Receiver{cfg: cfg, bus: deps.Bus, log: deps.Logger, slots: make(chan struct{}, cfg.Concurrency)}
	r.pushed = newPushed(cfg.PushSeries)
	r.metrics = newMetrics(deps.Registerer, r.pushed)
	r.publish = newPublisher(deps.Bus, r.metrics)
	return r, nil
}

// Register adds the paths of the ways in to mux.
func (r *Receiver) Register(mux *http.ServeMux) {
	r.handle(mux, "POST /api/v1/write", "remote_write", r.remoteWrite, plain)
	r.handle(mux, "POST /api/v1/otlp/v1/metrics", "otlp", r.otlp, status)
	r.handle(mux, "POST /write", "influx", r.influx, influx1)
	r.handle(mux, "POST /api/v2/write", "influx", r.influx, influx2)
	for _, job := range []string{"job", "job@base64"} {
		path := " /metrics/" + job + "/{path...}"
		r.handle(mux, "PUT"+path, "push", r.push, plain)
		r.handle(mux, "POST"+path, "push", r.push, plain)
		r.handle(mux, "DELETE"+path, "push", r.push, plain)
	}
}

// Run publishes again what was pushed, and consumes the queues of fleets, until
// ctx ends.
func (r *Receiver) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { r.republish(ctx); return nil })
	if r.cfg.Fleets {
		for _, f := range r.fleets() {
			g.Go(func() error { return f.run(ctx) })
		}
	}
	return g.Wait()
}
