package history

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/wlog"
	"github.com/prometheus/prometheus/util/compression"

	"thump/internal/logging"
)

// lateLogFailures counts out-of-order samples that Commit took into memory
// without having them in the log: the TSDB returns no error for this.
const lateLogFailures = "prometheus_tsdb_out_of_order_wbl_writes_failed_total"

// generation is one opening of the TSDB.
type generation struct {
	// Static after construction.
	number   int
	tsdb     *tsdb.DB
	stats    *tsdb.DBStats
	registry *prometheus.Registry
	watched  prometheus.Collector // lateLogFailures; nil if nothing may come late

	users   sync.WaitGroup // who must let go before it is closed
	leaving chan struct{}  // closed when they shall let go soon

	// Guarded by DB.appending.
	logs   []*segmentLog // what must be on disk for what was appended
	broken bool          // a write failed: see the package comment
}

// openGeneration opens a folder that was repaired.
func openGeneration(cfg *Config, deps *Deps, beyond tsdb.BlocksToDeleteFunc) (*generation, error) {
	g := &generation{leaving: make(chan struct{}), stats: tsdb.NewDBStats(), registry: prometheus.NewRegistry()}
	var err error
	if g.tsdb, err = tsdb.Open(deps.Dir, logging.Library(deps.Logger), &spy{g.registry, &g.watched}, options(cfg, beyond), g.stats); err != nil {
		return nil, fmt.Errorf("open history in %s: %w", deps.Dir, err)
	}
	dirs := []string{"wal"}
	if cfg.OutOfOrderWindow > 0 {
		dirs = append(dirs, wlog.WblDirName)
	}
	for _, dir := range dirs {
		l, err := openLog(deps.FS, filepath.Join(deps.Dir, dir))
		if err != nil {
			return nil, errors.Join(err, g.close())
		}
		g.logs = append(g.logs, l)
	}
	if g.watched == nil && cfg.OutOfOrderWindow > 0 {
		return nil, errors.Join(fmt.Errorf("open history: the TSDB has no metric %s", lateLogFailures), g.close())
	}
	return g, nil
}

func options(cfg *Config, beyond tsdb.BlocksToDeleteFunc) *tsdb.Options {
	o := tsdb.DefaultOptions() // isolation is on: without it ingest is at most 2% cheaper
	o.NoLockfile = true        // Open has locked the folder, with a better error
	o.WALCompression = compression.Snappy
	o.RetentionDuration = cfg.Retention.D().Milliseconds()
	o.MaxBytes = int64(cfg.RetentionSize)
	o.BlocksToDelete = beyond
	o.OutOfOrderTimeWindow = cfg.OutOfOrderWindow.D().Milliseconds()
	// Blocks grow to a tenth of the retention, as in Prometheus, so that what
	// retention takes away is at most that much too late.
	const longest = 31 * 24 * time.Hour
	o.MaxBlockDuration = max(o.MinBlockDuration, min(longest, cfg.Retention.D()/10).Milliseconds())
	return o
}

// begins is the time of the oldest raw sample, in Unix milliseconds.
func (g *generation) begins() int64 {
	begins := g.tsdb.Head().MinTime()
	for _, b := range g.tsdb.Blocks() {
		begins = min(begins, b.MinTime())
	}
	return begins
}

func (g *generation) release() { g.users.Done() }

func (g *generation) close() error {
	errs := []error{g.tsdb.Close()}
	for _, l := range g.logs {
		errs = append(errs, l.close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close history: %w", err)
	}
	return nil
}

// lateFailures reads the watched counter.
func (g *generation) lateFailures() float64 {
	if g.watched == nil {
		return 0
	}
	ch := make(chan prometheus.Metric, 1)
	g.watched.Collect(ch)
	var m dto.Metric
	if err := (<-ch).Write(&m); err != nil {
		return 0
	}
	return m.GetCounter().GetValue()
}

// spy is a registerer that remembers the collector of lateLogFailures.
type spy struct {
	prometheus.Registerer
	seen *prometheus.Collector
}

// Register implements prometheus.Registerer.
func (s *spy) Register(c prometheus.Collector) error {
	descs := make(chan *prometheus.Desc, 1)
	go func() {
		defer close(descs)
		c.Describe(descs)
	}()
	for d := range descs {
		if strings.Contains(d.String(), `fqName: "`+lateLogFailures+`"`) {
			*s.seen = c
		}
	}
	return s.Registerer.Register(c)
}

// MustRegister implements prometheus.Registerer.
func (s *spy) MustRegister(cs ...prometheus.Collector) {
	for _, c := range cs {
		if err := s.Register(c); err != nil {
			panic(err)
		}
	}
}
