package collector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"thump/collector/forward"
	"thump/collector/history"
	"thump/collector/promapi"
	"thump/collector/receive"
	"thump/collector/templates"
	"thump/configs"
	"thump/internal/bus"
	"thump/internal/control"
	"thump/internal/revision"
	"thump/internal/telemetry"
	"thump/internal/vfs"
)

// Deps are what a collector needs of its surroundings.
type Deps struct {
	Bus        bus.Bus
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	FS         vfs.FS // by which history locks and syncs; nil means the operating system's
	// CheckTemplate tells what an agent would refuse of a file of templates; nil
	// leaves that to the agents.
	CheckTemplate templates.Checker
}

// Collector turns messages into history and answers for it.
type Collector struct {
	// Static after construction.
	bus     bus.Bus
	log     *slog.Logger
	db      *history.DB
	hosts   *hosts
	ingest  *ingest
	receive *receive.Receiver
	forward *forward.Forwarder
	handler http.Handler

	refusals  *refusals
	steering  *steering
	edits     edits
	inventory inventoryFile
}

// New opens history, which may take a while after a kill: the log is replayed.
func New(cfg Config, deps Deps) (*Collector, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("collector: %w", err)
	}
	if deps.FS == nil {
		deps.FS = vfs.OS{}
	}
	registerer := prometheus.WrapRegistererWith(prometheus.Labels{"component": "collector"}, deps.Registerer)
	db, err := history.Open(cfg.Config, history.Deps{
		Dir: cfg.DataDir, FS: deps.FS, Logger: deps.Logger, Registerer: registerer,
	})
	if err != nil {
		return nil, err
	}
	c := &Collector{bus: deps.Bus, log: deps.Logger, db: db, inventory: newInventoryFile(deps.FS, cfg.DataDir)}
	c.hosts, c.refusals = newHosts(time.Now()), newRefusals()
	m := newMetrics(registerer, c.hosts)
	if err := c.openFleet(&cfg, &deps, m, registerer); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	families := newFamilies()
	c.ingest = newIngest(db, c.hosts, c.refusals, families, m, cfg.Limits, deps.Logger)
	c.receive, err = receive.New(cfg.Receive, receive.Deps{Bus: deps.Bus, Logger: deps.Logger, Registerer: registerer})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	c.forward, err = forward.New(cfg.Forward, forward.Deps{Dir: db.Dir(), FS: deps.FS, Logger: deps.Logger, Registerer: registerer})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	api := promapi.New(&promapi.Deps{
		Storage: db, Engine: db.Engine(), Parser: db.Parser(), Metadata: families, Logger: deps.Logger,
		Registerer: registerer, Gatherer: gatherer(deps.Registerer),
		Admin: cfg.AdminAPI,
	})
	c.handler = newHandler(api, promapi.NewFederation(db, deps.Logger), c.receive, c)
	return c, nil
}

// openFleet reads the templates, and the hosts of before the restart.
func (c *Collector) openFleet(cfg *Config, deps *Deps, m *metrics, r prometheus.Registerer) error {
	check := deps.CheckTemplate
	if check == nil {
		check = func([]byte) []control.Refusal { return nil }
	}
	dir := cfg.Templates
	if dir == "" {
		dir = filepath.Join(cfg.DataDir, "templates")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("make folder of templates: %w", err)
		}
	}
	folder, err := templates.Open(dir, configs.DefaultTemplate, check, deps.Logger)
	if err != nil {
		return err
	}
	if c.edits.log, err = revision.Open(filepath.Join(cfg.DataDir, "template-revisions.jsonl")); err != nil {
		return err
	}
	r.MustRegister(prometheus.NewGaugeFunc(gauge("template_problems", "What is wrong with the files of templates; above 0 the last good set holds."),
		func() float64 { return float64(len(folder.Problems())) }))
	c.steering = newSteering(deps.Bus, folder, c.hosts, deps.Logger, m)
	kept, err := c.inventory.read()
	if err != nil { // history still knows those of the last hour
		c.log.Error("hosts of before are not all known", "err", err)
	}
	c.hosts.remember(kept)
	return nil
}

// Reload reads the folder of templates, and what to forward, again. What has an
// error stays as it was.
func (c *Collector) Reload() error {
	forward := c.forward.Reload()
	if err := c.steering.folder.Reload(); err != nil {
		return errors.Join(forward, fmt.Errorf("templates: %w", err))
	}
	c.steering.change()
	return forward
}

// gatherer reads what r registers, if it can tell.
func gatherer(r prometheus.Registerer) prometheus.Gatherer {
	if g, ok := r.(prometheus.Gatherer); ok {
		return g
	}
	return prometheus.NewRegistry()
}

// Run consumes until ctx ends, then brings what is open to an end and closes
// history.
func (c *Collector) Run(ctx context.Context) error {
	err := c.run(ctx)
	return errors.Join(err, c.db.Close())
}

func (c *Collector) run(ctx context.Context) error {
	if err := c.hosts.seed(ctx, c.db, time.Now()); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("read the hosts of the last hour: %w", err)
	}
	deliveries, err := c.bus.Subscribe(ctx, bus.Subscription{Queue: telemetry.HistoryQueue, Exclusive: true, Prefetch: prefetch})
	if err != nil {
		return fmt.Errorf("subscribe to %s: %w", telemetry.HistoryQueue, err)
	}
	reports, err := c.bus.Subscribe(ctx, bus.Subscription{Queue: telemetry.TemplateQueue, NoAck: true, Prefetch: prefetch})
	if err != nil {
		return fmt.Errorf("subscribe to %s: %w", telemetry.TemplateQueue, err)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return c.steering.run(ctx, reports) })
	g.Go(func() error { return c.saveInventory(ctx) })
	g.Go(func() error { return c.ingest.run(ctx, deliveries) })
	g.Go(func() error { return c.watch(ctx) })
	g.Go(func() error { return c.forward.Run(ctx) })
	g.Go(func() error { return c.tellRefusals(ctx) })
	g.Go(func() error { return c.receive.Run(ctx) })
	return g.Wait()
}

// Handler serves /api/v1/, /federate, /api/hosts, and what receive registers.
func (c *Collector) Handler() http.Handler { return c.handler }
