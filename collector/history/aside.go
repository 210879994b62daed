package history

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/prometheus/prometheus/tsdb"
)

// asideName is the folder of what could not be read. It is never emptied by
// thump: somebody may know how to read it.
const asideName = "corrupt"

// setAside moves a block that cannot be opened out of the way, so that the rest
// can.
func (db *DB) setAside(dir string, cause error) error {
	to, err := db.aside(dir)
	if err != nil {
		return err
	}
	if err := os.Rename(dir, to); err != nil {
		return fmt.Errorf("set a corrupt block aside: %w", errors.Join(err, cause))
	}
	db.metrics.setAside.WithLabelValues("block").Inc()
	db.deps.Logger.Error("block cannot be read: it was set aside, its samples are missing until it is repaired",
		"block", dir, "now", to, "time", timesOf(to), "err", cause)
	return nil
}

// aside is where something of history is moved to.
func (db *DB) aside(path string) (string, error) {
	rel, err := filepath.Rel(db.deps.Dir, path)
	if err != nil {
		return "", fmt.Errorf("set %s aside: %w", path, err)
	}
	to := filepath.Join(db.deps.Dir, asideName, time.Now().UTC().Format("20060102T150405.000"), rel)
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return "", fmt.Errorf("make folder for what is set aside: %w", err)
	}
	return to, nil
}

func byTime(blocks []*tsdb.Block) []*tsdb.Block {
	return slices.SortedFunc(slices.Values(blocks), func(a, b *tsdb.Block) int { return cmp.Compare(a.MaxTime(), b.MaxTime()) })
}
