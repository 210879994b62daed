package alerting_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// killed copies the folder as it is at this moment, which is what a kill leaves,
// ends the process, and starts another from the copy.
func (s *setup) killed(t *testing.T, p *process) *process {
	t.Helper()
	copied := filepath.Join(s.dir, "killed")
	if err := os.CopyFS(copied, os.DirFS(s.cfg.DataDir)); err != nil {
		t.Fatal(err)
	}
	p.stop()
	s.cfg.DataDir = copied
	return s.start(t)
}

// onDisk waits until alerting has written something down.
func (s *setup) onDisk(t *testing.T, file, what string) {
	t.Helper()
	eventually(t, what+" is in "+file, func() bool {
		c, err := os.ReadFile(filepath.Join(s.cfg.DataDir, file))
		return err == nil && strings.Contains(string(c), what)
	})
}

// TestKilledWhilePending: the for goes on where it was.
func TestKilledWhilePending(t *testing.T) {
	t.Parallel()
	b, hook := newMemory(), newWebhook(t)
	rules := strings.Replace(strings.Replace(busyRule, "1m", "1s", 1), "expr: busy > 90", "expr: busy > 90\n        for: 12s", 1)
	s := newSetup(t, b, rules, routes(hook.URL))
	p := s.start(t)
	a := newAgent(t, b, "web01", time.Minute)
	from := time.Now()
	a.publish("cpu", "busy", 97)
	hook.quiet(t, 7*time.Second)
	s.killed(t, p)
	a.publish("cpu", "busy", 98)
	h := hook.next(t, 3*patience, "firing", "Busy", "web01")
	// Anew it would take 12 s from the kill on, which is 19 s.
	if took := h.at.Sub(from); took < 11*time.Second || took > 18*time.Second {
		t.Errorf("for: 12s fired after %s", took)
	}
}

// TestKilledBeforeTheEndIsTold: an alert has ended, and the receiver is away; after
// the restart its end is told, once.
func TestKilledBeforeTheEndIsTold(t *testing.T) {
	t.Parallel()
	b, hook := newMemory(), newWebhook(t)
	var away atomic.Bool
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if away.Load() {
			http.Error(w, "away", http.StatusServiceUnavailable)
			return
		}
		hook.Config.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	s := newSetup(t, b, strings.Replace(busyRule, "1m", "1s", 1), routes(front.URL))
	p := s.start(t)
	a := newAgent(t, b, "web01", time.Minute)
	a.publish("cpu", "busy", 97)
	hook.next(t, patience, "firing", "Busy", "web01")
	s.onDisk(t, "nflog", "hook")
	away.Store(true)
	a.publish("cpu", "busy", 20)
	s.onDisk(t, "firing.json", `"over":[{`)
	p = s.killed(t, p)
	hook.quiet(t, time.Second)
	away.Store(false)
	hook.next(t, 3*patience, "resolved", "Busy", "web01")
	hook.quiet(t, 2*time.Second)
	s.cfg.DataDir = filepath.Join(s.dir, "killed")
	p.stop()
	s.start(t) // told already
	hook.quiet(t, 2*time.Second)
}

// TestKilledWhileSilenced: what was silenced is, and is told when that ends.
func TestKilledWhileSilenced(t *testing.T) {
	t.Parallel()
	b, hook := newMemory(), newWebhook(t)
	s := newSetup(t, b, strings.Replace(busyRule, "1m", "1s", 1), routes(hook.URL))
	p := s.start(t)
	var made struct{ SilenceID string }
	now := time.Now().UTC()
	p.ask(t, http.MethodPost, "/api/v2/silences", `{"matchers":[{"name":"instance","value":"web01","isRegex":false}],"startsAt":"`+now.Format(time.RFC3339)+
		`","endsAt":"`+now.Add(time.Hour).Format(time.RFC3339)+`","createdBy":"ann","comment":"moving"}`, http.StatusOK, &made)
	s.onDisk(t, "silences", "moving")
	a := newAgent(t, b, "web01", time.Minute)
	a.publish("cpu", "busy", 97)
	s.onDisk(t, "firing.json", "web01")
	p = s.killed(t, p)
	eventually(t, "it fires, silenced", func() bool { return p.alert(t, "Busy", "web01").Silenced })
	hook.quiet(t, 2*time.Second)
	p.ask(t, http.MethodDelete, "/api/v2/silence/"+made.SilenceID, "", http.StatusOK, nil)
	hook.next(t, patience, "firing", "Busy", "web01")
	hook.quiet(t, time.Second)
}
