package collector_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"thump/collector"
	"thump/internal/bus"
)

// TestFederate: another Prometheus scrapes the newest samples.
func TestFederate(t *testing.T) {
	m := newMemoryBus()
	c, _, _ := start(t, m)
	at := time.Now().Truncate(time.Millisecond)
	old := sample(3, at.Add(-time.Hour), 9)
	m.publishAll([]*bus.Message{sample(1, at.Add(-10*time.Second), 1), sample(2, at, 2), old})
	m.waitAcked(t, 3)
	s := serve(t, c)
	code, body := fetch(t, "GET", s+"/federate?match[]=m&match[]={instance=\"web01\"}")
	if want := `m{instance="web01"} 2 `; code != 200 || strings.Count(body, want) != 1 || strings.Contains(body, "} 1 ") {
		t.Errorf("%d %s\nwant one %s", code, body, want)
	}
	for _, bad := range []string{"?match[]=m{", "?match[]=m)"} {
		if code, body := fetch(t, "GET", s+"/federate"+bad); code != 400 {
			t.Errorf("%s: %d %s, want 400", bad, code, body)
		}
	}
}

func serve(t *testing.T, c *collector.Collector) string {
	t.Helper()
	s := httptest.NewServer(c.Handler())
	t.Cleanup(s.Close)
	return s.URL
}
