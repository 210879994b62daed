package alerting_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestRestartWhileFiring(t *testing.T) {
	t.Parallel()
	b, hook := newMemory(), newWebhook(t)
	s := newSetup(t, b, strings.Replace(busyRule, "1m", "1s", 1), routes(hook.URL))
	p := s.start(t)
	a := newAgent(t, b, "web01", time.Minute)
	a.publish("cpu", "busy", 97)
	first := hook.next(t, patience, "firing", "Busy", "web01")
	eventually(t, "the change is published", func() bool { return len(b.published()) == 1 })
	p.stop()

	p = s.start(t)
	a.publish("cpu", "busy", 98)
	eventually(t, "it fires again", func() bool { return p.states(t)["web01"] == "firing" })
	hook.quiet(t, 2*time.Second)
	a.publish("cpu", "busy", 20)
	if last := hook.next(t, patience, "resolved", "Busy", "web01"); !last.StartsAt.Equal(first.StartsAt) {
		t.Errorf("resolved alert began at %s, fired at %s", last.StartsAt, first.StartsAt)
	}
	eventually(t, "the second change is published", func() bool { return len(b.published()) == 2 })
}

// TestKilledWhileFiring starts from a copy of the folder as it was at some
// moment, which is what a kill leaves.
func TestKilledWhileFiring(t *testing.T) {
	t.Parallel()
	b, hook := newMemory(), newWebhook(t)
	s := newSetup(t, b, strings.Replace(busyRule, "1m", "1s", 1), routes(hook.URL))
	p := s.start(t)
	a := newAgent(t, b, "web01", time.Minute)
	a.publish("cpu", "busy", 97)
	hook.next(t, patience, "firing", "Busy", "web01")
	// The answer to the webhook, then the notification log, then the disk.
	eventually(t, "the notification is on disk", func() bool {
		i, err := os.Stat(filepath.Join(s.cfg.DataDir, "nflog"))
		return err == nil && i.Size() > 0
	})
	eventually(t, "the firing alert is on disk", func() bool {
		c, err := os.ReadFile(filepath.Join(s.cfg.DataDir, "firing.json"))
		return err == nil && strings.Contains(string(c), "web01")
	})
	killed := filepath.Join(s.dir, "killed")
	if err := os.CopyFS(killed, os.DirFS(s.cfg.DataDir)); err != nil {
		t.Fatal(err)
	}
	p.stop()

	s.cfg.DataDir = killed
	p = s.start(t)
	eventually(t, "it fires again", func() bool { return p.states(t)["web01"] == "firing" })
	hook.quiet(t, 2*time.Second)
}

func TestForGoesOnAfterRestart(t *testing.T) {
	t.Parallel()
	const hold, before = 10 * time.Second, 6 * time.Second
	b, hook := newMemory(), newWebhook(t)
	rules := strings.Replace(strings.Replace(busyRule, "1m", "1s", 1), "expr: busy > 90", "expr: busy > 90\n        for: 10s", 1)
	s := newSetup(t, b, rules, routes(hook.URL))
	p := s.start(t)
	a := newAgent(t, b, "web01", time.Minute)
	a.publish("cpu", "busy", 97)
	hook.quiet(t, before)
	p.stop()

	from := time.Now()
	s.start(t)
	a.publish("cpu", "busy", 97)
	h := hook.next(t, 2*patience, "firing", "Busy", "web01")
	// As in Prometheus it is taken up at the second evaluation on the timer, and
	// the last one before the end was up to an interval before it.
	if took := h.at.Sub(from); took < hold-before-time.Second || took > hold-before+4*time.Second {
		t.Errorf("for: %s, of which %s were over, fired after another %s", hold, before, took)
	}
}
