package history

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/prometheus/tsdb"
)

// readMeta reads the description of a block.
func readMeta(dir string) (meta tsdb.BlockMeta, err error) {
	b, err := os.ReadFile(filepath.Join(dir, "meta.json"))
	if err != nil {
		return meta, err
	}
	if err := json.Unmarshal(b, &meta); err != nil {
		return meta, fmt.Errorf("meta.json: %w", err)
	}
	return meta, nil
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
