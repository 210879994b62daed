package history

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/fileutil"
	"github.com/prometheus/prometheus/tsdb/tombstones"
	"github.com/prometheus/prometheus/tsdb/wlog"
	"github.com/prometheus/prometheus/util/compression"

	"thump/internal/logging"
)

// repair makes a folder such that the TSDB opens it with all that can be read.
// On its own the TSDB does not start with a block that cannot be read, and behind
// a bad record of its log it removes all that follows.
func (db *DB) repair() error {
	dirs, err := filepath.Glob(filepath.Join(db.deps.Dir, "wal", "checkpoint.[0-9]*"))
	if err != nil {
		return err
	}
	for _, dir := range append(dirs, filepath.Join(db.deps.Dir, "wal"), filepath.Join(db.deps.Dir, wlog.WblDirName)) {
		if err := db.repairLog(dir); err != nil {
			return fmt.Errorf("repair log in %s: %w", dir, err)
		}
	}
	return db.repairBlocks()
}

// repairLog writes those segments anew that have a bad record.
func (db *DB) repairLog(dir string) error {
	first, last, err := wlog.Segments(dir)
	if errors.Is(err, os.ErrNotExist) || err == nil && last < 0 {
		return nil
	}
	if err != nil {
		return err
	}
	for i := first; i <= last; i++ {
		name := wlog.SegmentName(dir, i)
		cause := checkSegment(name)
		if cause == nil {
			continue
		}
		if err := db.repairSegment(name, i == last, cause); err != nil {
			return err
		}
	}
	return nil
}

// checkSegment reads all records of a segment.
func checkSegment(name string) (err error) {
	s, err := wlog.OpenReadSegment(name)
	if err != nil {
		return err
	}
	in := wlog.NewSegmentBufReader(s)
	defer func() { err = errors.Join(err, in.Close()) }()
	r := wlog.NewReader(in)
	for r.Next() {
	}
	return r.Err()
}

// repairSegment puts a segment with the records that can be read in place of
// one, which is kept aside. A kill may leave half a record at the end of the last
// one; it was never acknowledged, and is not kept.
func (db *DB) repairSegment(name string, last bool, cause error) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	records, bad := readable(b)
	torn := last && bad == 1 && records.afterBad == 0
	if !torn {
		if err := db.keepAside(name, "log"); err != nil {
			return err
		}
		db.deps.Logger.Error("log of history has bad records: the segment was kept aside and goes on without them, their samples are missing",
			"segment", name, "places", bad, "records_kept", len(records.list), "err", cause)
	} else {
		db.deps.Logger.Warn("log of history ended in a torn record, which was not acknowledged; it was cut off", "segment", name)
	}
	return replaceSegment(name, records.list)
}

func replaceSegment(name string, list [][]byte) (err error) {
	tmp := name + ".repair"
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	w, err := wlog.NewSize(nil, nil, tmp, 2*wlog.DefaultSegmentSize, compression.Snappy)
	if err != nil {
		return err
	}
	if err := errors.Join(w.Log(list...), w.Close()); err != nil {
		return err
	}
	return fileutil.Replace(wlog.SegmentName(tmp, 0), name)
}

// keepAside copies a file to where corrupt things are kept.
func (db *DB) keepAside(name, kind string) (err error) {
	to, err := db.aside(name)
	if err != nil {
		return err
	}
	if err := copyFile(name, to); err != nil {
		return fmt.Errorf("keep %s aside: %w", name, err)
	}
	db.metrics.setAside.WithLabelValues(kind).Inc()
	db.deps.Logger.Error("a file of history cannot be read: it was kept aside", "file", name, "copy", to)
	return nil
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Sync()
}

// repairBlocks sets blocks aside that cannot be opened. Of what only describes a
// block or hides samples of it, meta.json and tombstones, there are new ones made.
func (db *DB) repairBlocks() error {
	entries, err := os.ReadDir(db.deps.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		id, err := ulid.ParseStrict(e.Name())
		if err != nil || !e.IsDir() {
			continue
		}
		dir := filepath.Join(db.deps.Dir, e.Name())
		if err := db.repairBlock(dir, id); err != nil {
			if err := db.setAside(dir, err); err != nil {
				return err
			}
		}
	}
	return nil
}

// repairBlock returns an error if the block cannot be opened.
func (db *DB) repairBlock(dir string, id ulid.ULID) error {
	if meta, err := readMeta(dir); err != nil || meta.Version != 1 || meta.ULID != id {
		if err := db.describe(dir, id); err != nil {
			return err
		}
	}
	if _, _, err := tombstones.ReadTombstones(dir); err != nil {
		if err := db.forgetTombstones(dir); err != nil {
			return err
		}
	}
	b, err := tsdb.OpenBlock(logging.Library(db.deps.Logger), dir, nil, tsdb.DefaultPostingsDecoderFactory)
	if err != nil {
		return err
	}
	return b.Close()
}

// forgetTombstones makes new ones: what was deleted of the block is there again.
func (db *DB) forgetTombstones(dir string) error {
	if err := db.keepAside(filepath.Join(dir, tombstones.TombstonesFilename), "tombstones"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	db.deps.Logger.Error("tombstones of a block cannot be read: samples deleted from it since it was written are there again, delete them once more",
		"block", dir, "time", timesOf(dir))
	_, err := tombstones.WriteFile(db.deps.Logger, dir, tombstones.NewMemTombstones())
	return err
}

// describe makes a new meta.json from the index.
func (db *DB) describe(dir string, id ulid.ULID) error {
	if err := db.keepAside(filepath.Join(dir, metaName), "meta"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	meta, err := metaOf(dir, id)
	if err != nil {
		return err
	}
	db.deps.Logger.Error("meta.json of a block cannot be read: it was made anew from the index",
		"block", dir, "from", time.UnixMilli(meta.MinTime).UTC(), "to", time.UnixMilli(meta.MaxTime).UTC())
	return writeMeta(dir, &meta)
}
