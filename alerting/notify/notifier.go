// Package notify tells people: routing, grouping, inhibition, silences and
// receivers are Alertmanager's own code under a standard alertmanager.yml.
package notify

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/api"
	"github.com/prometheus/alertmanager/cluster"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/eventrecorder"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/marker"
	"github.com/prometheus/alertmanager/matcher/compat"
	"github.com/prometheus/alertmanager/nflog"
	amnotify "github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/provider/mem"
	"github.com/prometheus/alertmanager/silence"
	"github.com/prometheus/client_golang/prometheus"
)

// Config of a Notifier.
type Config struct {
	File        func() string // alertmanager.yml; empty: the shipped one
	Dir         string        // where silences and what was notified are kept
	ExternalURL *url.URL
	Cluster     Cluster
}

// Deps of a Notifier.
type Deps struct {
	// Changed is told of alerts that began to fire, or ended. It must not block.
	Changed    func([]*alert.Alert)
	Logger     *slog.Logger
	Registerer prometheus.Registerer // of Alertmanager's own metrics
}

// Notifier is an Alertmanager in process.
type Notifier struct {
	// Static after construction.
	cfg        Config
	log        *slog.Logger
	reg        prometheus.Registerer
	changed    func([]*alert.Alert)
	nflog      *nflog.Log
	silences   *silence.Silences
	silencer   *silence.Silencer
	groups     marker.GroupMarker
	pipeline   *amnotify.PipelineBuilder
	dispatch   *dispatch.DispatcherMetrics
	ledger     *ledger
	keeper     *keeper
	calendar   *calendar
	peer       *cluster.Peer // nil: this instance is alone
	noted      func()        // the ledger changed
	planned    func()        // the calendar changed
	gossipAcks func()

	started chan struct{}                // closed once the two below are set
	alerts  *mem.Alerts                  // static after started
	api     *api.API                     // static after started
	handler atomic.Pointer[http.Handler] // nil until started

	mu      sync.Mutex // held while the routing tree is exchanged
	running bool
	next    *plan // what the tree is made of once the notifier runs
	tree    atomic.Pointer[tree]
}

// noEvents is Alertmanager's event recorder, off.
var noEvents = eventrecorder.Recorder{}

// How matchers are read is one choice for the whole process, kept in
// Alertmanager's own variables: the first notifier makes it.
var chooseParser sync.Once

func parseMatchers(l *slog.Logger, flags featurecontrol.Flagger) {
	chooseParser.Do(func() { compat.InitFromFlags(l, flags) })
}

// New reads the configuration and the state that the last process left.
func New(cfg Config, d Deps) (*Notifier, error) {
	flags := featurecontrol.NoopFlags{}
	parseMatchers(d.Logger, flags)
	n := &Notifier{
		cfg: cfg, log: d.Logger, reg: d.Registerer, changed: d.Changed,
		groups:   marker.NewGroupMarker(),
		pipeline: amnotify.NewPipelineBuilder(d.Registerer, flags, noEvents),
		dispatch: dispatch.NewDispatcherMetrics(false, d.Registerer, flags),
		started:  make(chan struct{}),
	}
	var err error
	if n.next, err = n.read(); err != nil {
		return nil, err
	}
	return n, n.open()
}

func (n *Notifier) open() (err error) {
	if err := os.MkdirAll(n.cfg.Dir, 0o700); err != nil {
		return fmt.Errorf("make alerting's data folder: %w", err)
	}
	file := func(name string) string { return filepath.Join(n.cfg.Dir, name) }
	n.nflog, err = nflog.New(nflog.Options{
		SnapshotFile: file("nflog"), Retention: retention, Logger: n.log, Metrics: n.reg,
	})
	if err != nil {
		return fmt.Errorf("read what was notified: %w", err)
	}
	unlimited := func() int { return 0 }
	n.silences, err = silence.New(silence.Options{
		SnapshotFile: file("silences"), Retention: retention, Logger: n.log, Metrics: n.reg,
		Limits: silence.Limits{MaxSilences: unlimited, MaxSilenceSizeBytes: unlimited},
	})
	if err != nil {
		return fmt.Errorf("read silences: %w", err)
	}
	n.silencer = silence.NewSilencer(n.silences, n.log, noEvents)
	if n.ledger, err = openLedger(file("firing.json"), time.Now()); err != nil {
		return err
	}
	if n.calendar, err = openCalendar(file("windows.json"), n.silences); err != nil {
		return err
	}
	n.keeper = &keeper{changed: make(chan struct{}, 1)}
	n.noted = n.keeper.add(file("firing.json"), n.ledger.write)
	n.planned = n.keeper.add(file("windows.json"), n.calendar.write)
	notified := n.keeper.add(file("nflog"), n.nflog.Snapshot)
	silenced := n.keeper.add(file("silences"), n.silences.Snapshot)
	if n.peer, err = n.cfg.Cluster.join(n.log, n.reg); err != nil {
		return err
	}
	n.share(notified, silenced)
	return nil
}

// Put says that alerts fire, or, with an end that is past, that they no longer
// do. It waits until the notifier runs.
func (n *Notifier) Put(ctx context.Context, alerts ...*alert.Alert) error {
	select {
	case <-n.started:
	case <-ctx.Done():
		return fmt.Errorf("hand over alerts: %w", ctx.Err())
	}
	n.tell(n.ledger.note(alerts, time.Now()))
	if err := n.alerts.Put(ctx, alerts...); err != nil {
		return fmt.Errorf("hand over alerts: %w", err)
	}
	return nil
}

// Check reads the configuration file; apply makes it the one in force.
func (n *Notifier) Check() (apply func(), err error) {
	p, err := n.read()
	if err != nil {
		return nil, err
	}
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.next = p; n.running {
			n.apply(p)
		}
	}, nil
}

// ServeHTTP serves Alertmanager's API under /api/v2/.
func (n *Notifier) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := n.handler.Load()
	if h == nil {
		http.Error(w, "alerting is starting", http.StatusServiceUnavailable)
		return
	}
	(*h).ServeHTTP(w, r)
}
