package history_test

import (
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/tsdb"

	"thump/collector/history"
	"thump/collector/history/rollup"
	"thump/internal/config"
)

// TestRetention simulates days and looks at what is left of each kind: whole
// blocks that are not older than they may be, and none younger is missing.
func TestRetention(t *testing.T) {
	cfg := quickConfig()
	cfg.Retention, cfg.Retention5m, cfg.Retention1h = config.Duration(day), config.Duration(3*day), config.Duration(1000*day)
	db := openWith(t, cfg, deps(t, t.TempDir()))
	const days = 8
	newFleet(2, 5*time.Minute).simulate(t, db, days*day)
	newest := origin.Add(days*day - 5*time.Minute)

	samples := func() []tsdb.BlockMeta {
		metas, err := db.BlockMetas()
		if err != nil {
			t.Fatal(err)
		}
		return metas
	}
	until(t, "blocks of samples are beyond retention and gone", func() bool {
		if err := db.CleanTombstones(); err != nil { // nothing to clean; it is a reload all the same
			t.Fatal(err)
		}
		oldest := samples()[0]
		return newest.Sub(time.UnixMilli(oldest.MaxTime)) < day+3*hour
	})
	if oldest := samples()[0]; newest.Sub(time.UnixMilli(oldest.MinTime)) < day {
		t.Errorf("samples begin at %s, younger than retention", time.UnixMilli(oldest.MinTime).UTC())
	}
	for _, block := range blocksIn(t, db, "5m") {
		if to := maxTimeOf(t, block); newest.Sub(to) >= 3*day {
			t.Errorf("%s until %s is beyond retention", block, to.UTC())
		}
	}
	// By hours there is everything, though samples and five minutes of it are gone.
	m := matrix(t, db, "count_over_time(up[6h])", origin.Add(6*hour), newest, 6*hour)
	if len(m) != 2 || len(m[0].Floats) != days*4-1 || m[0].Floats[2].F != 72 {
		t.Errorf("a week by hours: %v", m)
	}
}

func maxTimeOf(t *testing.T, block string) time.Time {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(block, "meta.json"))
	if err != nil {
		t.Fatal(err)
	}
	var meta tsdb.BlockMeta
	if err := json.Unmarshal(b, &meta); err != nil {
		t.Fatal(err)
	}
	return time.UnixMilli(meta.MaxTime)
}

// TestPromtoolAnalyzes lets Debian's promtool read the folder, roll-ups too.
func TestPromtoolAnalyzes(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("promtool is missing: install the package prometheus")
		}
		t.Skip("promtool is not installed")
	}
	db := openWith(t, quickConfig(), deps(t, t.TempDir()))
	newFleet(2, time.Minute).simulate(t, db, 26*hour)
	until(t, "there are blocks", func() bool { return len(blocksIn(t, db, "")) > 1 })
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, shelf := range []string{"", "5m"} {
		out, err := exec.CommandContext(t.Context(), promtool, "tsdb", "analyze", filepath.Join(db.Dir(), shelf)).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "Highest cardinality metric names:") || !strings.Contains(string(out), "c_total") {
			t.Errorf("promtool tsdb analyze of %q: %v\n%s", shelf, err, out)
		}
	}
}

// sized is a block with what it takes on disk.
type sized struct {
	dir  string
	size int64
	end  time.Time
}

// sizesIn are the blocks of a shelf, the oldest first.
func sizesIn(t *testing.T, db *history.DB, shelf string) (all []sized) {
	t.Helper()
	for _, dir := range blocksIn(t, db, shelf) {
		b, err := rollup.OpenBlock(dir, slog.New(slog.DiscardHandler)) // only looked at from outside
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, sized{dir, b.Size(), time.UnixMilli(b.MaxTime())})
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
	slices.SortFunc(all, func(a, b sized) int { return a.end.Compare(b.end) })
	return all
}

// fitting are the newest of some blocks: as many as fit into a size.
func fitting(all []sized, limit int64) (dirs []string) {
	for i := len(all) - 1; i >= 0; i-- {
		if limit -= all[i].size; limit < 0 {
			break
		}
		dirs = append(dirs, all[i].dir)
	}
	slices.Sort(dirs)
	return dirs
}

// TestRetentionBySize: of samples, five minutes and hours there are as many
// blocks left as fit into what each may take, the newest ones.
func TestRetentionBySize(t *testing.T) {
	cfg := quickConfig()
	cfg.Retention = config.Duration(20 * hour) // blocks of two hours
	d := deps(t, t.TempDir())
	db := openWith(t, cfg, d)
	newFleet(2, 10*time.Minute).simulate(t, db, 14*day)
	until(t, "all is compacted", func() bool { return blocksUntil(t, db) >= origin.Add(14*day-4*hour).UnixMilli() })
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	shelves := []string{"", "5m", "1h"}
	want := map[string][]string{}
	for i, limit := range []*config.Bytes{&cfg.RetentionSize, &cfg.RetentionSize5m, &cfg.RetentionSize1h} {
		all := sizesIn(t, db, shelves[i])
		var total int64
		for _, b := range all {
			total += b.size
		}
		*limit = config.Bytes(total * 2 / 3)
		want[shelves[i]] = fitting(all, int64(*limit))
		if n := len(want[shelves[i]]); n == 0 || n == len(all) {
			t.Fatalf("%d of %d blocks of %q fit: too few for this test", n, len(all), shelves[i])
		}
	}
	db = openWith(t, cfg, deps(t, d.Dir))
	rollUp(t, db)
	for _, shelf := range shelves {
		if got := blocksIn(t, db, shelf); !slices.Equal(got, want[shelf]) {
			t.Errorf("blocks of %q: %q, want %q", shelf, got, want[shelf])
		}
	}
}
