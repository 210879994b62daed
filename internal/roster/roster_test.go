package roster

import (
	"testing"
	"time"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func at(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }

func TestSilentOnceAfterIntervalAndGrace(t *testing.T) {
	r := New(start)
	if !r.Seen("web1", "web", "cpu", 10*time.Second, at(0)) {
		t.Error("a new host is not announced")
	}
	for _, c := range []struct{ now, fell int }{{10, 0}, {15, 0}, {16, 1}, {17, 0}, {100, 0}} {
		if got := len(r.Fall(at(c.now))); got != c.fell {
			t.Errorf("at %d s %d hosts fell, want %d", c.now, got, c.fell)
		}
	}
	if !r.Hosts()[0].Silent {
		t.Error("the host does not show as silent")
	}
	if !r.Seen("web1", "web", "cpu", 10*time.Second, at(101)) || r.Hosts()[0].Silent {
		t.Error("the host did not come back")
	}
}

func TestShortestIntervalCounts(t *testing.T) {
	r := New(start)
	r.Seen("a", "g", "disk", 30*time.Second, at(0))
	r.Seen("a", "g", "cpu", 5*time.Second, at(0))
	if len(r.Fall(at(11))) != 1 {
		t.Error("silence is not judged by the most frequent probe")
	}
}

func TestLateMessagesDoNotTurnTimeBack(t *testing.T) {
	r := New(start)
	r.Seen("a", "g", "cpu", time.Second, at(50))
	r.Seen("a", "g", "cpu", time.Second, at(10))
	if got := r.Hosts()[0].LastSeen; !got.Equal(at(50)) {
		t.Errorf("last seen %v, want %v", got, at(50))
	}
}

func TestNobodyIsSilentRightAfterResume(t *testing.T) {
	r := New(start)
	for _, h := range []string{"a", "b", "c"} {
		r.Seen(h, "g", "cpu", time.Second, at(0))
	}
	r.Resume(at(100))
	if fell := r.Fall(at(105)); len(fell) != 0 {
		t.Errorf("%v fell while the grace after the resumption lasts", fell)
	}
	if fell := r.Fall(at(107)); len(fell) != 3 {
		t.Errorf("%d fell, want all three", len(fell))
	}
}

func TestRetiredHostsAreForgotten(t *testing.T) {
	r := New(start)
	r.Seen("a", "g", "cpu", time.Second, at(0))
	if !r.Retire("a") || r.Retire("a") || len(r.Fall(at(100))) != 0 {
		t.Error("a retired host is still known")
	}
}

func TestAnIntervalMayGrow(t *testing.T) {
	r := New(start)
	r.Seen("a", "g", "disk", 60*time.Second, at(0))
	r.Seen("a", "g", "cpu", time.Second, at(0)) // boosted
	r.Seen("a", "g", "cpu", 10*time.Second, at(1))
	if fell := r.Fall(at(15)); len(fell) != 0 {
		t.Error("silence is judged by an interval that has ended")
	}
	if len(r.Fall(at(17))) != 1 {
		t.Error("the host does not fall")
	}
}
