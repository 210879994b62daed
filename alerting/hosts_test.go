package alerting

import (
	"testing"
	"time"
)

func TestHostsFall(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	h := newHosts(start)
	h.cut = true // until the first look
	h.roster.Seen("a", "g", "agent", 10*time.Second, start)

	steps := []struct {
		second    int
		connected bool
		want      int // hosts of which it is said
		why       string
	}{
		{1, true, 0, "connected: a may come back until 1 + 15 + 10 + 5"},
		{30, true, 0, "not yet"},
		{32, true, 1, "silent"},
		{33, true, 0, "said once"},
		{95, true, 1, "said again after a minute"},
		{200, false, 0, "a broker that is gone is not a silent host"},
		{400, true, 1, "still silent"},
	}
	for _, s := range steps {
		if got, _ := h.fall(at(s.second), s.connected); len(got) != s.want {
			t.Errorf("second %d (%s): said of %v, want %d", s.second, s.why, got, s.want)
		}
	}

	h.roster.Seen("a", "g", "agent", 10*time.Second, at(401))
	delete(h.silent, "a")                        // as ingest does
	for second := 402; second < 1000; second++ { // the broker is away for ten minutes
		if got, fell := h.fall(at(second), false); fell+len(got) > 0 {
			t.Fatalf("second %d: %v fell while nothing could be heard", second, got)
		}
	}
	for second := 1000; second <= 1030; second++ {
		if got, fell := h.fall(at(second), true); fell+len(got) > 0 {
			t.Fatalf("second %d: %v fell before it could come back", second, got)
		}
	}
	if _, fell := h.fall(at(1031), true); fell != 1 {
		t.Errorf("%d hosts fell that did not come back, want 1", fell)
	}
}
