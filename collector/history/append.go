package history

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/prometheus/prometheus/storage"

	"thump/internal/vfs"
)

// Errors of Append and Sync: history takes nothing until Restore has succeeded.
var (
	// ErrBroken: a write failed.
	ErrBroken = errors.New("history could not write its log")
	// ErrDiskFull: less than Config.MinFree is left.
	ErrDiskFull = errors.New("the disk of history is full")
)

// Append runs fill on a new appender and commits what it appended; an error of
// fill rolls it back. generation changes when the TSDB was opened anew: series
// references of an earlier one mean nothing.
//
// After nil the samples outlive this process, whatever ends it. To outlive the
// machine they need Sync. A sample that is there already, with the same value,
// is taken without effect.
func (db *DB) Append(ctx context.Context, fill func(app storage.Appender, generation int) error) error {
	db.appending.Lock()
	defer db.appending.Unlock()
	g, err := db.acquireWhole()
	if err != nil {
		return err
	}
	defer g.release()
	if err := db.room(); err != nil {
		return err
	}
	app := g.tsdb.Appender(ctx)
	if err := fill(app, g.number); err != nil {
		if rollback := app.Rollback(); rollback != nil { // it writes new series to the log
			g.broken = true
			return errors.Join(err, fmt.Errorf("%w: %w", ErrBroken, rollback))
		}
		return err
	}
	return g.commit(app)
}

func (g *generation) commit(app storage.Appender) error {
	before := g.lateFailures()
	if err := app.Commit(); err != nil {
		g.broken = true
		return fmt.Errorf("%w: %w", ErrBroken, err)
	}
	// The TSDB only counts this one.
	if g.lateFailures() != before {
		g.broken = true
		return fmt.Errorf("%w of late samples", ErrBroken)
	}
	return nil
}

// Sync returns when all that was appended before is on stable storage and
// outlives the machine's power. After an error that cannot be known of anything
// since the last Sync that returned nil: append it again after Restore.
func (db *DB) Sync() error {
	db.appending.Lock()
	defer db.appending.Unlock()
	g, err := db.acquireWhole()
	if err != nil {
		return err
	}
	defer g.release()
	for _, l := range g.logs {
		if err := l.sync(); err != nil {
			g.broken = true
			return fmt.Errorf("%w: %w", ErrBroken, err)
		}
	}
	return nil
}

// acquireWhole returns the current generation unless it is broken.
func (db *DB) acquireWhole() (*generation, error) {
	g, err := db.acquire()
	if err != nil {
		return nil, err
	}
	if g.broken {
		g.release()
		return nil, ErrBroken
	}
	return g, nil
}

// Restore makes Append work again, if it can: it opens the TSDB anew when a
// write has failed. It waits for the queries that run.
func (db *DB) Restore() error {
	db.appending.Lock()
	defer db.appending.Unlock()
	if err := db.room(); err != nil {
		return err
	}
	if g, err := db.acquireWhole(); err == nil {
		g.release()
		return nil
	}
	// The TSDB does not close cleanly, and panics elsewhere, while writing fails.
	if err := db.probe(); err != nil {
		return fmt.Errorf("%w: %w", ErrBroken, err)
	}
	if g := db.detach(); g != nil {
		if err := g.close(); err != nil {
			db.deps.Logger.Warn("history did not close well", "err", err)
		}
	}
	return db.openNext()
}

func (db *DB) room() error {
	free, err := freeSpace(db.deps.Dir)
	if err != nil {
		return fmt.Errorf("look for free disk space: %w", err)
	}
	if free < uint64(db.cfg.MinFree) {
		return fmt.Errorf("%w: %d MiB are free in %s, less than %s", ErrDiskFull, free>>20, db.deps.Dir, db.cfg.MinFree)
	}
	return nil
}

// probeSize is what Restore must be able to write before it tries the TSDB.
const probeSize = 1 << 20

func (db *DB) probe() error {
	name := filepath.Join(db.deps.Dir, "write-test")
	err := vfs.WriteFile(db.deps.FS, name, make([]byte, probeSize))
	if remove := db.deps.FS.Remove(name); err == nil {
		err = remove
	}
	return err
}
