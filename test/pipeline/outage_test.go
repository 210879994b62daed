package pipeline

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"thump/test/redis"
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
// broker away under a running agent, and looks for the hole in history. The
// built-in broker ends and starts again, Redis is killed and starts again, the
// link to RabbitMQ is cut.
func TestBrokerAwayLosesNoSample(t *testing.T) {
	t.Run("built-in", func(t *testing.T) {
		a := ports(t, 2)
		dir := t.TempDir()
		start := func() *daemon {
			return launch(t, "thump", "broker", "--data-dir", dir, "--amqp", a[0], "--http", a[1], "--management", "127.0.0.1:0")
		}
		b := start()
		away(t, "amqp://guest:guest@"+a[0]+"/", func() { b.stop() }, func() { b = start() })
		b.stop()
	})
	if os.Getenv("THUMP_LONG_TESTS") != "" {
		t.Run("Redis", func(t *testing.T) {
			s := redis.Start(t)
			away(t, s.URL(), s.Kill, s.Restart)
		})
	}
	if url := os.Getenv("THUMP_TEST_RABBITMQ"); url != "" {
		t.Run("RabbitMQ", func(t *testing.T) {
			c, through := newCable(t, url)
			away(t, through, c.cut, c.mend)
		})
	}
}

// away lets an agent measure while the broker is away.
func away(t *testing.T, url string, leave, back func()) {
	dir, http := t.TempDir(), ports(t, 1)[0]
	collector := "http://" + http
	launch(t, "thump", "collector", "--data-dir", dir, "--bus", url, "--http", http)
	program, verb := "thump-agent", "run"
	if strings.HasPrefix(url, "redis:") { // which the small program does not speak
		program, verb = "thump", "agent"
	}
	agent := launch(t, program, verb, "--data-dir", dir+"/agent", "--bus", url, "--host", "web01", "--group", "web")
	one(t, collector, `count_over_time(up{instance="web01",group="web"}[1m]) > 2`, 40*time.Second)

	left := time.Now()
	leave()
	time.Sleep(outage())
	back()
	returned := time.Now()

	for _, metric := range []string{`up{instance="web01"}`, `node_load1{instance="web01"}`, `node_memory_MemAvailable_bytes{instance="web01"}`} {
		eventually(t, 60*time.Second, "no gap in "+metric, func() error {
			got, err := raw(t.Context(), collector, metric, time.Hour)
			if err != nil || len(got) != 1 {
				return fmt.Errorf("%d series, %w", len(got), err)
			}
			return gapless(got[0].Values, left, returned.Add(5*time.Second))
		})
	}
	agent.stop()
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
