package rules

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	promrules "github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
)

// Bounds of evaluation.
const (
	// settle is how long an arrival waits for what comes with it: the probes of
	// a host, a message each.
	settle = 20 * time.Millisecond
	// outage is how long alerting may be away and a rule's for still go on where it was.
	outage = time.Hour
	// resend is after how long an alert that goes on firing is said again.
	resend = time.Minute

	querySamples = 50_000_000
	queryTimeout = 30 * time.Second
)

// Config of an Engine.
type Config struct {
	Interval    time.Duration // of groups that say none
	Gap         time.Duration // between two evaluations of a group, at least
	ExternalURL *url.URL
}

// Storage is where rules read and write.
type Storage interface {
	storage.Queryable
	storage.Appendable
}

// Deps of an Engine.
type Deps struct {
	Storage    Storage
	Notify     promrules.NotifyFunc
	Logger     *slog.Logger
	Registerer prometheus.Registerer // of the engine's own metrics
	Libraries  prometheus.Registerer // of those of Prometheus's packages
}

// Engine evaluates groups of rules, one at a time. Prometheus's rule manager
// holds the groups and their state; its timers only wish for an evaluation, as
// arrivals do.
//
// Lock order: mu, then wishes.
type Engine struct {
	// Static after construction.
	cfg     Config
	log     *slog.Logger
	manager *promrules.Manager
	metrics *metrics
	woken   chan struct{} // holds one wake-up

	set     atomic.Pointer[Set]
	unknown *unknown

	evaluated atomic.Int64 // when a group was last, in Unix milliseconds

	// mu is held while a group is evaluated and while the rules are exchanged,
	// since the manager hands a group's state over without a lock.
	mu      sync.Mutex
	running bool                        // the manager may be given rules
	groups  map[string]*promrules.Group // by key
	arrived *arrivals

	wishes   sync.Mutex
	schedule *schedule // guarded by wishes
}

// New returns an engine that evaluates set once it runs.
func New(cfg Config, set *Set, d Deps) *Engine {
	e := &Engine{cfg: cfg, log: d.Logger, woken: make(chan struct{}, 1), schedule: newSchedule(cfg.Gap)}
	e.set.Store(set)
	query := promql.NewEngine(promql.EngineOpts{
		Logger: d.Logger, Reg: d.Libraries, MaxSamples: querySamples, Timeout: queryTimeout,
		LookbackDelta: lookbackDelta, EnableAtModifier: true, EnableNegativeOffset: true, Parser: set.parser,
	})
	e.unknown = newUnknown(d.Storage)
	e.arrived = &arrivals{}
	ask := e.arrived.query(promrules.EngineQueryFunc(query, scoped{d.Storage}))
	e.manager = promrules.NewManager(&promrules.ManagerOptions{
		ExternalURL: cfg.ExternalURL, Logger: d.Logger, Registerer: d.Libraries, Parser: set.parser,
		Appendable: d.Storage, Queryable: d.Storage, QueryFunc: e.unknown.query(ask),
		NotifyFunc: d.Notify, GroupLoader: loader{e}, OutageTolerance: outage, ResendDelay: resend,
	})
	e.metrics = newMetrics(d.Registerer, e.manager)
	return e
}

// loader gives the manager the files of the present set.
type loader struct{ *Engine }

// Load implements promrules.GroupLoader.
func (l loader) Load(name string, lax bool, s model.ValidationScheme) (*rulefmt.RuleGroups, []error) {
	return l.set.Load().Load(name, lax, s)
}

// Parse implements promrules.GroupLoader.
func (l loader) Parse(expr string) (parser.Expr, error) { return l.set.Load().Parse(expr) }

// Set is what the engine evaluates.
func (e *Engine) Set() *Set { return e.set.Load() }

// Exchange makes set what the engine evaluates. Rules that stay keep the state
// of their alerts. After an error the old rules go on.
func (e *Engine) Exchange(set *Set) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	old := e.set.Swap(set)
	if !e.running {
		return nil
	}
	if err := e.update(); err != nil {
		e.set.Store(old)
		return err
	}
	return nil
}

// update hands the present set to the manager. The caller holds mu.
func (e *Engine) update() error {
	onTimer := func(_ context.Context, g *promrules.Group, _ time.Time) { e.Wish(Timer, keyOf(g)) }
	set := e.set.Load()
	err := e.manager.Update(e.cfg.Interval, set.files, labels.EmptyLabels(), e.cfg.ExternalURL.String(), onTimer)
	if err != nil {
		return fmt.Errorf("load rules: %w", err)
	}
	e.groups = map[string]*promrules.Group{}
	waits := map[string]time.Duration{}
	for _, g := range e.manager.RuleGroups() {
		e.groups[keyOf(g)] = g
		waits[keyOf(g)] = settle + g.QueryOffset()
	}
	e.unknown.keep(e.manager.AlertingRules())
	e.arrived.keep(e.manager.AlertingRules())
	e.wishes.Lock()
	e.schedule.keep(waits)
	e.wishes.Unlock()
	for key := range waits {
		e.Wish(Start, key)
	}
	return nil
}

func keyOf(g *promrules.Group) string { return promrules.GroupKey(g.File(), g.Name()) }
