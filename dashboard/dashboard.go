package dashboard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"thump/internal/bus"
	"thump/internal/telemetry"
)

// tickEvery is how often silence and the link are looked at and a pulse is sent.
const tickEvery = time.Second

// rowsEvery is the least time between two events with changed rows: what
// changes meanwhile goes together. After a quiet moment a row goes at once.
const rowsEvery = 100 * time.Millisecond

// Dashboard shows the stream of metrics to browsers.
type Dashboard struct {
	// Static after construction.
	cfg     Config
	bus     bus.Bus
	log     *slog.Logger
	metrics *metrics
	handler http.Handler
	boosts  *boosts
	closing chan struct{} // closed when Run ends, which ends every browser's stream

	mu    sync.Mutex
	fleet *fleet // guarded by mu
	hub   *hub   // guarded by mu
	link  bool   // guarded by mu; whether the bus was connected when last looked at
}

// New returns a dashboard that serves at once and is fed by Run.
func New(cfg Config, deps Deps) (*Dashboard, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	ui, err := newUI(dist)
	if err != nil {
		return nil, fmt.Errorf("load the web UI: %w", err)
	}
	brokerView, err := newBrokerView(cfg.ManagementURL)
	if err != nil {
		return nil, err
	}
	d := &Dashboard{
		cfg:     cfg,
		bus:     deps.Bus,
		log:     deps.Logger,
		metrics: newMetrics(deps.Registerer),
		closing: make(chan struct{}),
	}
	d.fleet = newFleet(cfg, d.metrics, time.Now())
	d.hub = newHub(cfg, d.metrics)
	d.boosts = newBoosts(deps.Bus, deps.Logger, d.metrics)
	d.handler = routes(http.HandlerFunc(d.serveLive), deps.Collector, deps.Alerting, brokerView, ui)
	return d, nil
}

// Handler serves the UI, the live stream and the mounted APIs.
func (d *Dashboard) Handler() http.Handler { return d.handler }

// Run feeds the stream until ctx ends, which ends the browsers' streams too. It
// is called once.
func (d *Dashboard) Run(ctx context.Context) error {
	defer close(d.closing)
	var boosting sync.WaitGroup
	defer boosting.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	boosting.Go(func() { d.boosts.run(ctx) })
	retired, err := d.bus.Subscribe(ctx, retirements())
	if err != nil {
		return fmt.Errorf("subscribe to what is said of the fleet: %w", err)
	}
	live := telemetry.Live()
	live.NoAck = true
	deliveries, err := d.bus.Subscribe(ctx, live)
	if err != nil {
		return fmt.Errorf("subscribe to the live stream: %w", err)
	}
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	var rows <-chan time.Time // nil while no changed row waits
	var sent time.Time
	d.tick(time.Now())
	for {
		select {
		case m, ok := <-deliveries:
			if !ok {
				return ended(ctx)
			}
			d.take(&m.Message, time.Now())
			if rows == nil {
				rows = time.After(time.Until(sent.Add(rowsEvery)))
			}
		case m, ok := <-retired:
			if !ok {
				return ended(ctx)
			}
			d.retire(&m.Message)
		case sent = <-rows:
			d.sendRows()
			rows = nil
		case now := <-tick.C:
			d.tick(now)
		}
	}
}

func ended(ctx context.Context) error {
	if ctx.Err() == nil {
		return errors.New("a subscription ended by itself")
	}
	return nil
}

// take applies one message and hands it to those who watch its host.
func (d *Dashboard) take(m *bus.Message, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	u, err := d.fleet.take(m, now)
	d.metrics.took(err)
	if err != nil {
		d.log.Debug("message not shown", "origin", telemetry.OriginOf(m), "err", err)
	}
	if u == nil {
		return
	}
	if watchers := d.hub.watchers(u.host.name); len(watchers) > 0 {
		for data := range u.frames() {
			d.hub.send(watchers, "samples", data)
		}
	}
}

// sendRows sends the rows that have changed.
func (d *Dashboard) sendRows() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hub.sendRows(d.fleet.takeChanged())
}

// tick looks at what happens without a message: silence, a cut link.
func (d *Dashboard) tick(now time.Time) {
	up := d.bus.Connected()
	d.mu.Lock()
	defer d.mu.Unlock()
	if up != d.link {
		d.link = up
		d.fleet.linkChanged(up, now)
		d.hub.sendAll("link", linkEvent{Up: up})
	}
	if up {
		d.hub.sendRows(d.fleet.fall(now))
	}
	d.fleet.sweep(now)
	d.boosts.look(d.hub.watched(), now)
	d.hub.sendAll("pulse", d.fleet.pulse(now))
}
