package history_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/tsdb"

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
