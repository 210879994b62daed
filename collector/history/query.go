package history

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
)

// Engine answers PromQL; its queries take db as their storage.
func (db *DB) Engine() promql.QueryEngine { return engine{db.engine, db} }

// Parser reads PromQL with the features that are on.
func (db *DB) Parser() parser.Parser { return db.parser }

// lookback is how old the sample of an instant may be, as in Prometheus.
const lookback = 5 * time.Minute

func newEngine(cfg *Config, deps *Deps) (*promql.Engine, parser.Parser) {
	opts := promql.EngineOpts{
		Logger:                   deps.Logger,
		Reg:                      deps.Registerer,
		MaxSamples:               cfg.QuerySamples,
		Timeout:                  cfg.QueryTimeout.D(),
		ActiveQueryTracker:       newGate(cfg.QueryConcurrency),
		LookbackDelta:            lookback,
		NoStepSubqueryIntervalFn: func(int64) int64 { return time.Minute.Milliseconds() },
		EnableAtModifier:         true,
		EnableNegativeOffset:     true,
		EnablePerStepStats:       true,
	}
	enable(cfg.QueryFeatures, &opts)
	return promql.NewEngine(opts), opts.Parser
}

// gate lets a number of queries through at a time. It implements
// promql.QueryTracker.
type gate struct{ slots chan struct{} }

func newGate(n int) gate { return gate{make(chan struct{}, n)} }

// GetMaxConcurrent implements promql.QueryTracker.
func (g gate) GetMaxConcurrent() int { return cap(g.slots) }

// Insert waits until a query may run.
func (g gate) Insert(ctx context.Context, _ string) (int, error) {
	select {
	case g.slots <- struct{}{}:
		return 0, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// Delete says that a query has ended.
func (g gate) Delete(int) { <-g.slots }

// Close implements io.Closer.
func (gate) Close() error { return nil }

// ChunkQuerier implements storage.ChunkQueryable, for remote read. It reads raw
// samples only.
func (db *DB) ChunkQuerier(mint, maxt int64) (storage.ChunkQuerier, error) {
	g, err := db.acquire()
	if err != nil {
		return nil, err
	}
	q, err := g.tsdb.ChunkQuerier(mint, maxt)
	if err != nil {
		g.release()
		return nil, err
	}
	return &chunkQuerier{ChunkQuerier: q, release: sync.OnceFunc(g.release)}, nil
}

// ExemplarQuerier implements storage.ExemplarQueryable. Exemplars are only ever
// in memory, which outlives the generation.
func (db *DB) ExemplarQuerier(ctx context.Context) (q storage.ExemplarQuerier, err error) {
	err = db.use(func(g *generation) error {
		q, err = g.tsdb.ExemplarQuerier(ctx)
		return err
	})
	return q, err
}

// chunkQuerier keeps its generation open until it is closed.
type chunkQuerier struct {
	storage.ChunkQuerier
	release func()
}

// Close implements storage.ChunkQuerier.
func (q *chunkQuerier) Close() error {
	defer q.release()
	return q.ChunkQuerier.Close()
}
