package alerting

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"thump/alerting/notify"
	"thump/alerting/rules"
	"thump/alerting/store"
	"thump/configs"
	"thump/internal/bus"
	"thump/internal/revision"
	"thump/internal/vfs"
)

// keepAtLeast is for how long samples are kept even if no rule looks back so
// far: a rule's for is taken up after a restart from what was written of it.
const keepAtLeast = time.Hour

// Deps of Alerting.
type Deps struct {
	Bus        bus.Bus
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Alerting is the component. It is made by New and lives in Run.
type Alerting struct {
	// Static after construction.
	cfg       Config
	log       *slog.Logger
	bus       bus.Bus
	metrics   *metrics
	store     *store.Store
	rules     *rules.Engine
	notifier  *notify.Notifier
	stream    *stream
	recorder  *recorder
	past      *past
	revisions *revision.Log
	fresh     bool      // the store was empty
	lock      io.Closer // of the data folder

	reloading sync.Mutex // one reload at a time
	editing   sync.Mutex // one change of files at a time; before reloading
}

// New opens the store and reads the configuration; what is wrong with either is
// an error here. Run must be called after it, since it closes the store.
func New(cfg Config, d Deps) (*Alerting, error) {
	external, err := cfg.externalURL()
	if err := errors.Join(err, cfg.check()); err != nil {
		return nil, err
	}
	a := &Alerting{cfg: cfg, log: d.Logger, bus: d.Bus, metrics: newMetrics(d.Registerer)}
	a.stream = newStream(d.Bus, d.Logger, a.metrics)
	set, err := a.readRules()
	if err != nil {
		return nil, err
	}
	if err := a.takeFolder(); err != nil {
		return nil, err
	}
	if err := a.open(set, external, d); err != nil {
		return nil, errors.Join(err, a.lock.Close())
	}
	return a, nil
}

// open opens what lies in the folder.
func (a *Alerting) open(set *rules.Set, external *url.URL, d Deps) (err error) {
	dropped := func(n int) { a.metrics.unkept.Add(float64(n)) }
	if a.past, err = openPast(filepath.Join(a.cfg.DataDir, "past"), dropped, d.Logger); err != nil {
		return err
	}
	if a.revisions, err = revision.Open(filepath.Join(a.cfg.DataDir, "revisions.jsonl")); err != nil {
		return err
	}
	// The libraries' metrics bear names that the collector's TSDB has too.
	libraries := prometheus.WrapRegistererWith(prometheus.Labels{"component": "alerting"}, d.Registerer)
	a.notifier, err = notify.New(
		notify.Config{
			File: a.routesPath, Dir: a.cfg.DataDir, ExternalURL: external,
			Cluster: notify.Cluster{Listen: a.cfg.Cluster.Listen, Peers: a.cfg.Cluster.Peers},
		},
		notify.Deps{Changed: a.changed, Logger: d.Logger, Registerer: libraries},
	)
	if err != nil {
		return err
	}
	if a.store, err = store.Open(filepath.Join(a.cfg.DataDir, "tsdb"), keepFor(set), d.Logger, libraries); err != nil {
		return err
	}
	a.fresh = a.store.Empty()
	a.recorder = newRecorder(a.store, d.Bus, a.notifier.Leads, d.Logger, a.metrics)
	a.rules = rules.New(
		rules.Config{Interval: a.cfg.Interval.D(), Gap: a.cfg.Gap.D(), ExternalURL: external}, set,
		rules.Deps{
			Storage: a.recorder, Notify: handOver(a.notifier, external.String(), d.Logger),
			Logger: d.Logger, Registerer: d.Registerer, Libraries: libraries,
		},
	)
	return nil
}

// changed is told of alerts that began to fire, or ended.
func (a *Alerting) changed(alerts []*alert.Alert) {
	now, changes := time.Now(), make([]Change, len(alerts))
	for i, x := range alerts {
		changes[i] = changeOf(x, now)
	}
	a.past.add(changes...)
	if a.notifier.Leads() {
		a.stream.offer(alerts)
	}
}

// takeFolder makes and locks alerting's folder.
func (a *Alerting) takeFolder() (err error) {
	disk := vfs.OS{}
	if err := disk.MkdirAll(a.cfg.DataDir); err != nil {
		return fmt.Errorf("make alerting's data folder: %w", err)
	}
	if a.lock, err = disk.Lock(a.cfg.DataDir); err != nil {
		return fmt.Errorf("lock alerting's data folder: %w", err)
	}
	return nil
}

func (a *Alerting) readRules() (*rules.Set, error) {
	if len(a.cfg.Rules) == 0 {
		return rules.ReadShipped(configs.Files, configs.Rules, a.ownRules(), a.log)
	}
	return rules.ReadFiles(a.cfg.Rules, a.log)
}

func keepFor(set *rules.Set) time.Duration { return max(keepAtLeast, set.Lookback()) }

// Run consumes, evaluates and notifies until ctx ends and all of it is on disk.
func (a *Alerting) Run(ctx context.Context) (err error) {
	defer func() {
		if cerr := a.store.Close(); cerr != nil {
			err = errors.Join(err, fmt.Errorf("close alerting's store: %w", cerr))
		}
		err = errors.Join(err, a.past.close(), a.lock.Close())
	}()
	in, err := newIngest(ctx, a)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.notifier.Run(ctx) })
	g.Go(func() error { return a.rules.Run(ctx) })
	g.Go(func() error { return a.stream.run(ctx) })
	g.Go(func() error { return a.recorder.run(ctx) })
	g.Go(func() error { return a.heartbeat(ctx) })
	g.Go(func() error { return a.fill(ctx) })
	g.Go(func() error { return in.run(ctx) })
	return g.Wait()
}

// Reload reads rules and alertmanager.yml anew. If anything is wrong with either,
// all stays as it was.
func (a *Alerting) Reload() error {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	set, rerr := a.readRules()
	applyRoutes, nerr := a.notifier.Check()
	if err := errors.Join(rerr, nerr); err != nil {
		a.metrics.reloads.WithLabelValues("failed").Inc()
		return err
	}
	if err := a.store.Keep(keepFor(set)); err != nil {
		return err
	}
	if err := a.rules.Exchange(set); err != nil {
		return err
	}
	applyRoutes()
	a.metrics.reloads.WithLabelValues("done").Inc()
	a.log.Info("rules and routes reloaded")
	return nil
}

// Handler serves Prometheus's API for rules and alerts, Alertmanager's API v2,
// alerting's own under /api/alerts, and POST /-/reload.
func (a *Alerting) Handler() http.Handler {
	mux := http.NewServeMux()
	a.rules.Register(mux)
	a.register(mux)
	a.registerFiles(mux)
	mux.Handle("/api/v2/", a.notifier)
	mux.HandleFunc("POST /-/reload", func(w http.ResponseWriter, _ *http.Request) {
		if err := a.Reload(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	return mux
}
