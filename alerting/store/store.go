// Package store is alerting's own small memory: a TSDB that holds only what the
// rules read, for as long as they look back, on disk across restarts.
package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/util/compression"

	"thump/internal/logging"
)

// blockRange is how much of the past is held in memory before it is written as
// a block; short, since little is kept.
const blockRange = 30 * time.Minute

// Sample is one value of one series.
type Sample struct {
	Series *Series
	Time   int64 // Unix milliseconds
	Value  float64
}

// Series is a series that has been or will be appended to. Whoever appends
// keeps it: the store notes in it where the series is.
type Series struct {
	Labels labels.Labels
	ref    storage.SeriesRef
}

// Store is the TSDB. Its methods may be called from any goroutine, but a Series
// belongs to one.
type Store struct{ db *tsdb.DB }

// Open opens the store in dir, which keeps samples for at least keep.
func Open(dir string, keep time.Duration, log *slog.Logger, reg prometheus.Registerer) (*Store, error) {
	o := tsdb.DefaultOptions()
	o.MinBlockDuration, o.MaxBlockDuration = blockRange.Milliseconds(), blockRange.Milliseconds()
	o.RetentionDuration, o.OutOfOrderTimeWindow = keep.Milliseconds(), keep.Milliseconds()
	o.WALCompression = compression.Snappy
	o.WALSegmentSize = 16 << 20
	o.StripeSize = 1 << 10
	o.NoLockfile = true // the folder is locked by its owner
	db, err := tsdb.Open(dir, logging.Library(log), reg, o, nil)
	if err != nil {
		return nil, fmt.Errorf("open alerting's store in %s: %w", dir, err)
	}
	return &Store{db: db}, nil
}

// Close ends the store. What was appended stays.
func (s *Store) Close() error { return s.db.Close() }

// Empty tells whether nothing was ever stored.
func (s *Store) Empty() bool { return s.db.Head().NumSeries() == 0 && len(s.db.Blocks()) == 0 }

// Keep changes for how long samples are kept.
func (s *Store) Keep(d time.Duration) error {
	err := s.db.ApplyConfig(&config.Config{StorageConfig: config.StorageConfig{TSDBConfig: &config.TSDBConfig{
		OutOfOrderTimeWindow: d.Milliseconds(), // as late as it could still matter
		Retention:            &config.TSDBRetentionConfig{Time: model.Duration(d)},
	}}})
	if err != nil {
		return fmt.Errorf("change how long samples are kept: %w", err)
	}
	return nil
}

// Querier implements storage.Queryable.
func (s *Store) Querier(mint, maxt int64) (storage.Querier, error) { return s.db.Querier(mint, maxt) }

// Appender implements storage.Appendable, for the rules' own series.
func (s *Store) Appender(ctx context.Context) storage.Appender { return s.db.Appender(ctx) }

// Outcome counts what became of the samples of one Append.
type Outcome struct {
	Stored int
	Ahead  int // of those stored: lay in the future and were stored as of now
	Late   int // refused: older than anything the rules look at
	Repeat int // refused: another value for a time that has one
}

// Append stores samples, all or none, except those that the store never takes.
// When it returns without an error they are in the write-ahead log and survive
// the end of the process.
//
// A sample from the future counts as of now: an evaluation at now would not see
// it, and one that lies years ahead would make all others too old.
func (s *Store) Append(ctx context.Context, samples []Sample) (Outcome, error) {
	var o Outcome
	app := s.db.Appender(ctx)
	now := time.Now().UnixMilli()
	for _, p := range samples {
		if p.Time > now {
			p.Time = now
			o.Ahead++
		}
		ref, err := app.Append(p.Series.ref, p.Series.Labels, p.Time, p.Value)
		switch {
		case err == nil:
			p.Series.ref = ref
			o.Stored++
		case !o.refuse(err):
			return Outcome{}, errors.Join(fmt.Errorf("append %s: %w", p.Series.Labels, err), app.Rollback())
		}
	}
	if err := app.Commit(); err != nil {
		return Outcome{}, fmt.Errorf("commit samples: %w", err)
	}
	return o, nil
}

func (o *Outcome) refuse(err error) bool {
	switch {
	case errors.Is(err, storage.ErrTooOldSample), errors.Is(err, storage.ErrOutOfBounds), errors.Is(err, storage.ErrOutOfOrderSample):
		o.Late++
	case errors.Is(err, storage.ErrDuplicateSampleForTimestamp):
		o.Repeat++
	default:
		return false
	}
	return true
}
