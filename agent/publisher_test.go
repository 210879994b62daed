package agent

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"thump/agent/spool"
	"thump/internal/bus"
	"thump/internal/vfs/faulty"
)

// rig is a publisher with its spool, and what it publishes to.
type rig struct {
	*publisher
	bus *scripted
	n   int
}

func newRig(t *testing.T, b *scripted, disk *faulty.FS) *rig {
	t.Helper()
	s, err := spool.Open("/spool", spool.Options{FS: disk, MaxBytes: 16 << 20, Logger: silent})
	if err != nil {
		t.Fatal(err)
	}
	m := newMetrics(prometheus.NewRegistry(), s.Stats)
	return &rig{publisher: newPublisher(b, s, 50, silent, m), bus: b}
}

// message returns the n-th batch.
func message(n int) *bus.Message {
	return &bus.Message{ID: fmt.Sprintf("boot-%d", n), Time: time.Unix(int64(n), 0), Headers: map[string]string{}, Body: bytes.Repeat([]byte{byte(n)}, 500)}
}

// publishFresh offers n more batches, as an outbox does.
func (r *rig) publishFresh(n int) {
	for range n {
		r.n++
		m := message(r.n)
		r.offer(item{r.spool.Append(m), m})
	}
}

// start runs the publisher until the function returned is called.
func (r *rig) start(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

// everyBatchOnce checks that n batches have arrived; a repetition must be identical.
func everyBatchOnce(t *testing.T, got []arrival, n int) {
	t.Helper()
	seen := map[string]bool{}
	for _, a := range got {
		var i int
		if _, err := fmt.Sscanf(a.m.ID, "boot-%d", &i); err != nil || !reflect.DeepEqual(a.m, message(i)) {
			t.Errorf("%s arrived as %+v", a.m.ID, a.m)
		}
		seen[a.m.ID] = true
	}
	if len(seen) != n {
		t.Errorf("%d batches arrived, want %d", len(seen), n)
	}
}

// TestEveryBatchArrives lets the broker refuse, lose and return batches.
func TestEveryBatchArrives(t *testing.T) {
	errs := map[string]error{
		"not connected": bus.ErrNotConnected, "link lost": bus.ErrLinkLost,
		"unroutable": bus.ErrUnroutable, "refused": bus.ErrRefused,
	}
	for name, failure := range errs {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newScripted(true)
				b.answer = func(_ context.Context, attempt int, _ *bus.Message) error {
					if attempt < 40 || attempt%3 == 0 {
						return fmt.Errorf("publish: %w", failure)
					}
					return nil
				}
				if failure == bus.ErrLinkLost {
					b.answer = func(_ context.Context, attempt int, _ *bus.Message) error {
						if attempt < 40 || attempt%3 == 0 {
							return bus.ErrLinkLost
						}
						return nil
					}
				}
				r := newRig(t, b, faulty.New())
				stop := r.start(t)
				r.publishFresh(200)
				time.Sleep(10 * time.Minute)
				everyBatchOnce(t, b.arrivals(), 200)
				if st := r.spool.Stats(); st.Batches != 0 || st.Dropped != 0 {
					t.Errorf("spool %+v", st)
				}
				stop()
			})
		})
	}
}

// TestBackoff: a broker that takes nothing is not asked all the time.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newScripted(true)
		b.answer = func(context.Context, int, *bus.Message) error { return bus.ErrUnroutable }
		r := newRig(t, b, faulty.New())
		stop := r.start(t)
		for range 60 {
			r.publishFresh(1)
			time.Sleep(10 * time.Second)
		}
		if n := b.tried(); n < 60 || n > 60*inFlight*3 {
			t.Errorf("%d attempts in ten minutes", n)
		}
		stop()
	})
}

// TestFreshFirst: after an outage what is measured now arrives now, while the
// backlog follows at its rate.
func TestFreshFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newScripted(false)
		r := newRig(t, b, faulty.New())
		stop := r.start(t)
		const backlog, rate = 1000, 50
		for range backlog {
			r.publishFresh(1)
			time.Sleep(time.Second)
		}
		b.connect()
		synctest.Wait()
		for i, a := range b.arrivals()[:inFlight] {
			var n int
			fmt.Sscanf(a.m.ID, "boot-%d", &n)
			if n <= backlog-freshLimit-inFlight {
				t.Errorf("arrival %d is %s, none of the newest", i, a.m.ID)
			}
		}
		for range 5 {
			before := len(b.arrivals())
			r.publishFresh(1)
			synctest.Wait()
			fresh := func(a arrival) bool { return a.m.ID == message(r.n).ID }
			if !slices.ContainsFunc(b.arrivals()[before:], fresh) {
				t.Error("a fresh batch did not arrive at once")
			}
			time.Sleep(time.Second)
			if n := len(b.arrivals()) - before - 1; n < rate-1 || n > rate+backlogStep {
				t.Errorf("%d of the backlog in a second, want %d", n, rate)
			}
		}
		time.Sleep(time.Minute)
		everyBatchOnce(t, b.arrivals(), backlog+5)
		if n := len(b.arrivals()); n != backlog+5 {
			t.Errorf("%d arrivals, want each batch once", n)
		}
		stop()
	})
}

// TestLinkComesAndGoes: nothing is lost when the link does not stay for long.
func TestLinkComesAndGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newScripted(false)
		r := newRig(t, b, faulty.New())
		stop := r.start(t)
		for i := range 100 {
			r.publishFresh(10)
			time.Sleep(700 * time.Millisecond)
			if i%2 == 0 {
				b.connect()
			} else {
				b.disconnect()
			}
		}
		b.connect()
		time.Sleep(time.Minute)
		everyBatchOnce(t, b.arrivals(), 1000)
		stop()
	})
}

// TestEnd: what is in flight has two seconds to be confirmed.
func TestEnd(t *testing.T) {
	tests := []struct {
		name      string
		connected bool
		takes     time.Duration // the confirm
		ends      time.Duration
		left      int
	}{
		{"confirmed at once", true, 0, 0, 0},
		{"confirmed in time", true, time.Second, time.Second, 0},
		{"never confirmed", true, time.Hour, endGrace, 5},
		{"broker away", false, 0, 0, 5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newScripted(tt.connected)
				b.answer = func(ctx context.Context, _ int, _ *bus.Message) error {
					select {
					case <-time.After(tt.takes):
						return nil
					case <-ctx.Done():
						return ctx.Err()
					}
				}
				disk := faulty.New()
				r := newRig(t, b, disk)
				stop := r.start(t)
				synctest.Wait()
				r.publishFresh(5)
				synctest.Wait()
				began := time.Now()
				stop()
				if took := time.Since(began); took != tt.ends {
					t.Errorf("ended after %v, want %v", took, tt.ends)
				}
				again := newRig(t, newScripted(true), disk.Kill())
				if left := again.spool.Stats().Waiting; left != tt.left {
					t.Errorf("%d left in the spool, want %d", left, tt.left)
				}
			})
		})
	}
}
