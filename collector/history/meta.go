package history

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/tsdb/fileutil"
	"github.com/prometheus/prometheus/tsdb/index"
)

// metaName is the file that describes a block.
const metaName = "meta.json"

// readMeta reads the description of a block.
func readMeta(dir string) (meta tsdb.BlockMeta, err error) {
	b, err := os.ReadFile(filepath.Join(dir, metaName))
	if err != nil {
		return meta, err
	}
	if err := json.Unmarshal(b, &meta); err != nil {
		return meta, fmt.Errorf("%s: %w", metaName, err)
	}
	return meta, nil
}

func writeMeta(dir string, meta *tsdb.BlockMeta) error {
	b, err := json.MarshalIndent(meta, "", "\t")
	if err != nil {
		return err
	}
	tmp := filepath.Join(dir, metaName+".tmp")
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return err
	}
	return fileutil.Replace(tmp, filepath.Join(dir, metaName))
}

// timesOf says of what time a block is, if that can be known.
func timesOf(dir string) string {
	meta, err := readMeta(dir)
	if err != nil {
		return "unknown"
	}
	utc := func(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339) }
	return utc(meta.MinTime) + " to " + utc(meta.MaxTime)
}

// metaOf describes a block by its index.
func metaOf(dir string, id ulid.ULID) (meta tsdb.BlockMeta, err error) {
	r, err := index.NewFileReader(filepath.Join(dir, "index"), index.DecodePostingsRaw)
	if err != nil {
		return meta, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	meta = tsdb.BlockMeta{ULID: id, Version: 1, MinTime: math.MaxInt64, MaxTime: math.MinInt64}
	meta.Compaction.Level, meta.Compaction.Sources = 1, []ulid.ULID{id}
	name, value := index.AllPostingsKey()
	p, err := r.Postings(context.Background(), name, value)
	if err != nil {
		return meta, err
	}
	var builder labels.ScratchBuilder
	var found []chunks.Meta
	for p.Next() {
		if err := r.Series(p.At(), &builder, &found); err != nil {
			return meta, err
		}
		meta.Stats.NumSeries++
		for _, c := range found {
			meta.Stats.NumChunks++
			meta.MinTime, meta.MaxTime = min(meta.MinTime, c.MinTime), max(meta.MaxTime, c.MaxTime+1)
		}
	}
	if p.Err() == nil && meta.Stats.NumChunks == 0 {
		return meta, errors.New("the index names no chunks")
	}
	return meta, p.Err()
}
