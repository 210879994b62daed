package pipeline

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// lines of an agent's log that have a text in them.
func (d *daemon) logged(text string) []string {
	var found []string
	for line := range strings.Lines(d.log.String()) {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}

func (d *daemon) awaitLog(text string, times int, limit time.Duration) {
	d.t.Helper()
	eventually(d.t, limit, fmt.Sprintf("%q logged %d times", text, times), func() error {
		if n := len(d.logged(text)); n < times {
			return fmt.Errorf("%d times", n)
		}
		return nil
	})
}

const (
	connected = "connected to the broker"
	lost      = "link to the broker lost"
)

// TestHalfDeadLink: a link on which nothing passes any more, and nothing ends, is
// noticed by the heartbeat; what was measured meanwhile arrives.
func TestHalfDeadLink(t *testing.T) {
	p := up(t, t.TempDir())
	between := newProxy(t, p.amqp)
	agent := launch(t, "thump-agent", "run", "--data-dir", t.TempDir(), "--bus", between.url(), "--host", "half-dead")
	agent.awaitLog(connected, 1, 20*time.Second)
	one(t, p.url(), `up{instance="half-dead"} == 1`, 20*time.Second)
	between.set(swallow)
	began := time.Now()
	agent.awaitLog(lost, 1, 60*time.Second)
	t.Logf("noticed after %v", time.Since(began).Round(time.Millisecond)) // 9 s, docs/agent.md
	between.set(pass)
	agent.awaitLog(connected, 2, 60*time.Second)
	eventually(t, 60*time.Second, "no gap", func() error {
		got, err := raw(t.Context(), p.url(), `up{instance="half-dead"}`, time.Hour)
		if err != nil || len(got) != 1 {
			return fmt.Errorf("%d series, %w", len(got), err)
		}
		return gapless(got[0].Values, began, time.Now().Add(-15*time.Second))
	})
	agent.stop()
	p.stop()
}

// TestNextBroker: an agent with several brokers goes to the next one that is
// there, when it starts and when its own ends.
func TestNextBroker(t *testing.T) {
	nobody := ports(t, 1)[0]
	first, second := up(t, t.TempDir()), up(t, t.TempDir())
	agent := launch(t, "thump-agent", "run", "--data-dir", t.TempDir(), "--host", "wanderer",
		"--bus", strings.Join([]string{"amqp://guest:guest@" + nobody + "/", first.amqpURL(), second.amqpURL()}, ","))
	present := `up{instance="wanderer"} == 1`
	agent.awaitLog(connected, 1, 30*time.Second)
	at, other := first, second
	if strings.Contains(agent.logged(connected)[0], second.amqp) {
		at, other = second, first
	}
	one(t, at.url(), present, 30*time.Second)
	at.kill()
	agent.awaitLog(lost, 1, 30*time.Second)
	one(t, other.url(), present, 60*time.Second)
	agent.stop()
	other.stop()
}
