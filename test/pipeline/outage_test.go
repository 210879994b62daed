package pipeline

import (
	"fmt"
	"os"
	"testing"
	"time"
)

// outage is how long the broker is away: a minute where THUMP_LONG_TESTS is set,
// as in CI.
func outage() time.Duration {
	if os.Getenv("THUMP_LONG_TESTS") != "" {
		return time.Minute
	}
	return 15 * time.Second
}

// TestBrokerAwayLosesNoSample runs the parts as processes of their own, takes the
// broker away under a running agent, and looks for the hole in history.
func TestBrokerAwayLosesNoSample(t *testing.T) {
	dir, a := t.TempDir(), ports(t, 3)
	amqp, broker, collector := a[0], a[1], "http://"+a[2]
	url := "amqp://guest:guest@" + amqp + "/"
	startBroker := func() *daemon {
		return launch(t, "thump", "broker", "--data-dir", dir, "--amqp", amqp, "--http", broker)
	}
	b := startBroker()
	launch(t, "thump", "collector", "--data-dir", dir, "--bus", url, "--http", a[2])
	agent := launch(t, "thump-agent", "run", "--data-dir", dir+"/agent", "--bus", url, "--host", "web01", "--group", "web")
	one(t, collector, `count_over_time(up{instance="web01",group="web"}[1m]) > 2`, 20*time.Second)

	away := time.Now()
	b.stop()
	time.Sleep(outage())
	b = startBroker()
	back := time.Now()

	for _, metric := range []string{`up{instance="web01"}`, `node_load1{instance="web01"}`, `node_memory_MemAvailable_bytes{instance="web01"}`} {
		eventually(t, 60*time.Second, "no gap in "+metric, func() error {
			got, err := raw(t.Context(), collector, metric, time.Hour)
			if err != nil || len(got) != 1 {
				return fmt.Errorf("%d series, %w", len(got), err)
			}
			return gapless(got[0].Values, away, back.Add(5*time.Second))
		})
	}
	agent.stop()
	b.stop()
}

// gapless checks that samples reach from before one time to after the other and
// none is missing between: the agent's default interval is 10 s.
func gapless(values []point, from, to time.Time) error {
	const interval = 10.0
	if len(values) == 0 || values[0].time > seconds(from) {
		return fmt.Errorf("%d samples, none before the outage", len(values))
	}
	last := values[0].time
	for _, v := range values {
		if v.time-last > interval*1.5 {
			return fmt.Errorf("no sample between %.1f and %.1f", last, v.time)
		}
		last = v.time
	}
	if last < seconds(to) {
		return fmt.Errorf("the last of %d samples is %.0f s too early", len(values), seconds(to)-last)
	}
	return nil
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
