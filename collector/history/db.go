package history

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/tsdb"

	"thump/collector/history/rollup"
	"thump/internal/vfs"
)

// ErrUnavailable says that history is closed or being opened anew. It is a
// tsdb.ErrNotReady, which the HTTP API answers with 503.
var ErrUnavailable = fmt.Errorf("history is not open: %w", tsdb.ErrNotReady)

// Deps are what history needs of its surroundings.
type Deps struct {
	Dir        string // folder of the TSDB; made if missing
	FS         vfs.FS // for locking and syncing; the TSDB itself uses the operating system's
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// DB is a TSDB with its query engine. Its methods may be called from any
// goroutine. Lock order: tending, appending, mu.
type DB struct {
	// Static after construction.
	cfg     Config
	deps    Deps
	lock    io.Closer // the folder is ours
	engine  *promql.Engine
	parser  parser.Parser
	shelves []*rollup.Shelf // of roll-ups, the narrowest windows first
	metrics *metrics
	stop    context.CancelFunc // ends upkeep
	upkeep  sync.WaitGroup

	tending   sync.Mutex // held while roll-ups are made or deleted
	appending sync.Mutex // held by Append, Sync, Restore and Close: one at a time

	mu      sync.Mutex
	current *generation // nil while there is none; guarded by mu
	opened  int         // generations so far; guarded by appending
}

// Open opens the TSDB in deps.Dir and takes the folder for this process.
func Open(cfg Config, deps Deps) (*DB, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	if err := deps.FS.MkdirAll(deps.Dir); err != nil {
		return nil, fmt.Errorf("make history folder: %w", err)
	}
	lock, err := deps.FS.Lock(deps.Dir)
	if err != nil {
		return nil, err
	}
	db := &DB{cfg: cfg, deps: deps, lock: lock}
	db.metrics = newMetrics()
	if err := db.open(); err != nil {
		return nil, errors.Join(err, db.closeShelves(), lock.Close())
	}
	db.engine, db.parser = newEngine(&db.cfg, &db.deps)
	if err := deps.Registerer.Register(exporter{db}); err != nil {
		return nil, errors.Join(fmt.Errorf("register metrics of history: %w", err), db.Close())
	}
	ctx, stop := context.WithCancel(context.Background())
	db.stop = stop
	db.upkeep.Go(func() { db.tend(ctx) })
	return db, nil
}

func (db *DB) open() error {
	if err := db.openShelves(); err != nil {
		return err
	}
	return db.openNext()
}

// Close waits for the queries that run and closes the TSDB. It is safe to call
// it again.
func (db *DB) Close() error {
	if db.stop != nil {
		db.stop()
		db.upkeep.Wait()
	}
	db.appending.Lock()
	defer db.appending.Unlock()
	g := db.detach()
	if g == nil {
		return nil
	}
	err := errors.Join(db.engine.Close(), g.close(), db.closeShelves(), db.lock.Close())
	db.deps.Registerer.Unregister(exporter{db})
	return err
}

// openNext opens the TSDB and makes it the current generation. db.appending is
// held, or nobody else knows db yet.
func (db *DB) openNext() error {
	if err := db.repair(); err != nil {
		return fmt.Errorf("open history in %s: %w", db.deps.Dir, err)
	}
	g, err := openGeneration(&db.cfg, &db.deps, db.beyondRetention)
	if err != nil {
		return err
	}
	db.opened++
	g.number = db.opened
	db.mu.Lock()
	defer db.mu.Unlock()
	db.current = g
	return nil
}

// acquire returns the current generation, which stays open until it is released.
func (db *DB) acquire() (*generation, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.current == nil {
		return nil, ErrUnavailable
	}
	db.current.users.Add(1)
	return db.current, nil
}

// detach takes the current generation out of use, if there is one, and waits
// until nobody uses it.
func (db *DB) detach() *generation {
	db.mu.Lock()
	g := db.current
	db.current = nil
	db.mu.Unlock()
	if g != nil {
		close(g.leaving)
		g.users.Wait()
	}
	return g
}

// exporter exposes the metrics of the current generation. It describes nothing,
// which lets the metrics change.
type exporter struct{ db *DB }

// Describe implements prometheus.Collector.
func (exporter) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (e exporter) Collect(ch chan<- prometheus.Metric) {
	g, err := e.db.acquire()
	if err != nil {
		return
	}
	defer g.release()
	g.registry.Collect(ch)
	e.db.collect(ch)
}

// Dir is the folder of the TSDB.
func (db *DB) Dir() string { return db.deps.Dir }
