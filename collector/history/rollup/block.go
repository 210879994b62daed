package rollup

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/tsdb/fileutil"
	"github.com/prometheus/prometheus/tsdb/index"
	"github.com/prometheus/prometheus/tsdb/tombstones"
)

// Names within the folder of a block are those of Prometheus.
const (
	indexName  = "index"
	metaName   = "meta.json"
	chunksName = "chunks"
	// unfinished follows the name of a block that is being written, and discarded
	// that of one that is being removed.
	unfinished = ".tmp-for-creation"
	discarded  = ".tmp-for-deletion"
)

// blockWriter writes one block into a folder that becomes the block by its last
// step, a rename.
type blockWriter struct {
	dir    string // of the shelf
	tmp    string
	meta   tsdb.BlockMeta
	chunks *chunks.Writer
	index  *index.Writer
	series storage.SeriesRef
}

// newBlockWriter begins a block for (from, to], which replaces parents. The
// symbols are all names and values of labels that will come.
func newBlockWriter(ctx context.Context, dir string, from, to int64, parents []tsdb.BlockMeta, symbols []string) (w *blockWriter, err error) {
	w = &blockWriter{dir: dir, meta: tsdb.BlockMeta{
		ULID: ulid.MustNew(ulid.Now(), rand.Reader), MinTime: from + 1, MaxTime: to + 1, Version: 1,
	}}
	w.meta.Compaction.Level = 1
	w.meta.Compaction.Sources = []ulid.ULID{w.meta.ULID}
	for _, p := range parents {
		w.meta.Compaction.Parents = append(w.meta.Compaction.Parents, tsdb.BlockDesc{ULID: p.ULID, MinTime: p.MinTime, MaxTime: p.MaxTime})
	}
	w.tmp = filepath.Join(dir, w.meta.ULID.String()) + unfinished
	if err := os.MkdirAll(w.tmp, 0o700); err != nil {
		return nil, fmt.Errorf("make folder of a block: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.abandon())
		}
	}()
	if w.chunks, err = chunks.NewWriter(filepath.Join(w.tmp, chunksName)); err != nil {
		return nil, fmt.Errorf("open chunks of a block: %w", err)
	}
	if w.index, err = index.NewWriter(ctx, filepath.Join(w.tmp, indexName)); err != nil {
		return nil, fmt.Errorf("open index of a block: %w", err)
	}
	slices.Sort(symbols)
	for _, s := range slices.Compact(symbols) {
		if err := w.index.AddSymbol(s); err != nil {
			return nil, fmt.Errorf("write index of a block: %w", err)
		}
	}
	return w, nil
}

// add writes the windows of the next series, in the order of labels.
func (w *blockWriter) add(ls labels.Labels, windows []Window, width int64) error {
	var metas []chunks.Meta
	for part := range slices.Chunk(windows, maxWindows) {
		c, err := encode(part)
		if err != nil {
			return err
		}
		metas = append(metas, chunks.Meta{MinTime: part[0].End - width + 1, MaxTime: part[len(part)-1].End, Chunk: c})
		w.meta.Stats.NumSamples += uint64(len(part))
	}
	if err := w.chunks.WriteChunks(metas...); err != nil {
		return fmt.Errorf("write chunks: %w", err)
	}
	if err := w.index.AddSeries(w.series, ls, metas...); err != nil {
		return fmt.Errorf("write index: %w", err)
	}
	w.series++
	w.meta.Stats.NumSeries++
	w.meta.Stats.NumChunks += uint64(len(metas))
	return nil
}

// commit makes the block visible. It is on stable storage from then on.
func (w *blockWriter) commit(log *slog.Logger) error {
	err := w.close()
	if err == nil {
		err = w.describe(log)
	}
	if err != nil {
		return errors.Join(err, w.abandon())
	}
	// The block is there from here on: a rename, and the folder is synced behind it.
	if err := fileutil.Replace(w.tmp, filepath.Join(w.dir, w.meta.ULID.String())); err != nil {
		return fmt.Errorf("make the block visible: %w", err)
	}
	return nil
}

func (w *blockWriter) close() error {
	var errs []error
	if w.chunks != nil {
		errs = append(errs, w.chunks.Close())
	}
	if w.index != nil {
		errs = append(errs, w.index.Close())
	}
	w.chunks, w.index = nil, nil
	return errors.Join(errs...)
}

// describe writes the small files of the block and syncs its folder.
func (w *blockWriter) describe(log *slog.Logger) error {
	if _, err := tombstones.WriteFile(log, w.tmp, tombstones.NewMemTombstones()); err != nil {
		return fmt.Errorf("write tombstones: %w", err)
	}
	b, err := json.MarshalIndent(w.meta, "", "\t")
	if err != nil {
		return fmt.Errorf("describe the block: %w", err)
	}
	if err := writeSynced(filepath.Join(w.tmp, metaName), b); err != nil {
		return fmt.Errorf("describe the block: %w", err)
	}
	return syncDir(w.tmp)
}

func writeSynced(name string, b []byte) (err error) {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(b); err != nil {
		return err
	}
	return f.Sync()
}

func syncDir(dir string) (err error) {
	d, err := fileutil.OpenDir(dir)
	if err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return d.Sync()
}

// abandon removes what was written; it may be called after close.
func (w *blockWriter) abandon() error {
	return errors.Join(w.close(), os.RemoveAll(w.tmp))
}
