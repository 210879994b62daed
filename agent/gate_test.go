package agent

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestGate: several batches that fail together are one failure, pauses grow to a
// limit, and a confirm ends them.
func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, broken := newGate(silent), errors.New("broken")
		pause := func() time.Duration {
			began := time.Now()
			if !g.wait(t.Context()) {
				t.Fatal("wait gave up")
			}
			return time.Since(began)
		}
		if d := pause(); d != 0 {
			t.Errorf("a new gate is closed for %v", d)
		}
		for want := firstPause; ; want = min(2*want, lastPause) {
			for range inFlight {
				g.fail(time.Now(), broken)
			}
			if d := pause(); d < want/2 || d > want {
				t.Errorf("paused %v, want %v to %v", d, want/2, want)
			}
			if want == lastPause {
				break
			}
		}
		g.pass()
		g.fail(time.Now(), broken)
		if d := pause(); d > firstPause {
			t.Errorf("after a confirm paused %v, want at most %v", d, firstPause)
		}
	})
}
