package alerting_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"thump/internal/config"
)

// TestHeartbeat: it beats while alerting works, and not while the broker is away.
func TestHeartbeat(t *testing.T) {
	t.Parallel()
	b, hook := newMemory(), newWebhook(t)
	s := newSetup(t, b, busyRule, routes(hook.URL))
	s.cfg.Heartbeat.URL, s.cfg.Heartbeat.Interval = hook.URL, config.Duration(time.Second)
	s.cfg.Interval = config.Duration(time.Second)
	write(t, s.rules, "groups: [{name: g, rules: [{alert: A, expr: busy > 90}]}]\n")
	p := s.start(t)
	for range 2 {
		hook.next(t, patience, "firing", "Watchdog", "")
	}
	b.cut.Store(true)
	eventually(t, "two beats are withheld", func() bool { return p.counter(t, "thump_alerting_heartbeats_total", "outcome=failed") >= 2 })
	for len(hook.hits) > 0 {
		<-hook.hits
	}
	hook.quiet(t, 1500*time.Millisecond)
	b.cut.Store(false)
	hook.next(t, patience, "firing", "Watchdog", "")
}

// TestFill: a new store is filled from history, when that answers at last, and
// rules that look back fire on it; one that is not new is left alone.
func TestFill(t *testing.T) {
	t.Parallel()
	b, hook := newMemory(), newWebhook(t)
	var asked atomic.Int32
	history := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			http.Error(w, "starting", http.StatusServiceUnavailable)
			return
		}
		_ = r.ParseForm()
		if got, want := r.Form, (url.Values{"query": {`{__name__="busy"}[15m]`}}); got.Get("query") != want.Get("query") {
			t.Errorf("asked %q, want %q", got.Get("query"), want.Get("query"))
		}
		now := time.Now().Unix()
		at := func(ago int64) string { return strconv.FormatInt(now-ago, 10) }
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"busy","instance":"old"},"values":[[` +
			at(500) + `,"95"],[` + at(400) + `,"96"]]}]}}`))
	}))
	t.Cleanup(history.Close)
	s := newSetup(t, b, "groups: [{name: g, interval: 1s, rules: [{alert: Was, expr: 'max_over_time(busy[10m]) > 90'}]}]\n", routes(hook.URL))
	s.cfg.Collector = history.URL
	p := s.start(t)
	hook.next(t, 2*patience, "firing", "Was", "old")
	p.stop()
	n := asked.Load()
	s.start(t)
	hook.quiet(t, time.Second)
	if got := asked.Load(); got != n {
		t.Errorf("asked %d times more for a store that is not new", got-n)
	}
}
