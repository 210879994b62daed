package history

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb"
)

// CleanTombstones removes deleted samples from disk.
func (db *DB) CleanTombstones() error {
	return db.use(func(g *generation) error { return g.tsdb.CleanTombstones() })
}

// Delete hides the samples of matching series from mint to maxt, Unix
// milliseconds. Of roll-ups it removes the windows that touch this time, at once.
func (db *DB) Delete(ctx context.Context, mint, maxt int64, ms ...*labels.Matcher) error {
	db.tending.Lock()
	defer db.tending.Unlock()
	errs := []error{db.use(func(g *generation) error { return g.tsdb.Delete(ctx, mint, maxt, ms...) })}
	for _, s := range db.shelves {
		errs = append(errs, s.Delete(ctx, mint, maxt, ms...))
	}
	return errors.Join(errs...)
}

// Snapshot writes what is there now to dir, of the newest samples too if asked,
// as links to files that never change.
func (db *DB) Snapshot(dir string, withHead bool) error {
	db.tending.Lock()
	defer db.tending.Unlock()
	errs := []error{db.use(func(g *generation) error {
		// The TSDB leaves out what came late and is not in a block yet.
		if err := g.tsdb.CompactOOOHead(context.Background()); withHead && err != nil {
			return err
		}
		return g.tsdb.Snapshot(dir, withHead)
	})}
	for i, s := range db.shelves {
		errs = append(errs, s.Snapshot(filepath.Join(dir, shelfNames[i])))
	}
	return errors.Join(errs...)
}

// Stats counts series by a label's values.
func (db *DB) Stats(label string, limit int) (stats *tsdb.Stats, err error) {
	err = db.use(func(g *generation) error {
		stats = g.tsdb.Head().Stats(label, limit)
		return nil
	})
	return stats, err
}

// WALReplayStatus tells how far opening has come.
func (db *DB) WALReplayStatus() (tsdb.WALReplayStatus, error) {
	g, err := db.acquire()
	if err != nil {
		return tsdb.WALReplayStatus{}, err
	}
	defer g.release()
	return g.stats.Head.WALReplayStatus.GetWALReplayStatus(), nil
}

// BlockMetas describes the blocks on disk.
func (db *DB) BlockMetas() (metas []tsdb.BlockMeta, err error) {
	err = db.use(func(g *generation) error {
		metas = g.tsdb.BlockMetas()
		return nil
	})
	return metas, err
}

func (db *DB) use(f func(*generation) error) error {
	g, err := db.acquire()
	if err != nil {
		return err
	}
	defer g.release()
	return f(g)
}
