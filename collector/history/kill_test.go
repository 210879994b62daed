package history_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"

	"thump/collector/history"
)

// killedDir names the variable with the folder of a process that is to be killed.
const killedDir = "THUMP_TEST_KILLED_DIR"

// minuteOfM appends the series m of one minute after origin, whose value is 1.
func minuteOfM(db *history.DB, m int) error {
	return db.Append(context.Background(), func(app storage.Appender, _ int) error {
		_, err := app.Append(0, labels.FromStrings("__name__", "m"), origin.Add(time.Duration(m)*time.Minute).UnixMilli(), 1)
		return err
	})
}

// TestKill kills a process again and again while it appends, compacts and rolls
// up days of simulated time. Nothing appended is lost, nor rolled up twice.
func TestKill(t *testing.T) {
	if dir := os.Getenv(killedDir); dir != "" {
		endless(t, dir)
		return
	}
	dir, acked := t.TempDir(), 0
	for round := range 6 {
		acked = killLater(t, dir, acked, 300+137*round)
	}
	db := openWith(t, quickConfig(), deps(t, dir))
	rollUp(t, db)
	end := origin.Add(time.Duration(acked/60) * hour)
	for _, expr := range []string{"sum_over_time(m[1h])", "count_over_time(m[1h])"} {
		points := matrix(t, db, expr, origin.Add(hour), end.Add(-time.Minute), hour)[0].Floats
		if want := acked/60 - 1; len(points) != want {
			t.Errorf("%s has %d hours, want %d", expr, len(points), want)
		}
		for _, p := range points {
			if p.F != 60 {
				t.Errorf("%s = %v at %s, want 60", expr, p.F, time.UnixMilli(p.T).UTC())
			}
		}
	}
}

// killLater lets a process append some minutes and kills it while it goes on; it
// returns how many minutes have been appended in all.
func killLater(t *testing.T, dir string, from, minutes int) (acked int) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe, "-test.run=^TestKill$")
	cmd.Env = append(os.Environ(), killedDir+"="+dir, "THUMP_TEST_FROM="+strconv.Itoa(from))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for acked = from; lines.Scan(); {
		n, err := strconv.Atoi(lines.Text())
		if err != nil {
			continue
		}
		if acked = n; acked == from+minutes {
			cancel() // SIGKILL
		}
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the process ended by itself")
	}
	return acked
}

// endless appends minute after minute and says so, and rolls up each hour.
func endless(t *testing.T, dir string) {
	from, err := strconv.Atoi(os.Getenv("THUMP_TEST_FROM"))
	if err != nil {
		t.Fatal(err)
	}
	db := openWith(t, quickConfig(), deps(t, dir))
	for m := from; m < 60*24*60; m++ {
		if err := minuteOfM(db, m); err != nil {
			t.Fatal(err)
		}
		fmt.Println(m + 1)
		if m%60 == 0 {
			rollUp(t, db)
		}
	}
}
