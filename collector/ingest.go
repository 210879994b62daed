package collector

import (
	"context"
	"log/slog"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/prometheus/storage"

	"thump/collector/history"
	"thump/internal/bus"
)

const (
	// prefetch bounds the messages that are taken and not yet acknowledged.
	prefetch = 512
	// syncInterval is how long a committed message waits for others before its
	// samples are brought to stable storage: at most ten syncs a second.
	syncInterval = 100 * time.Millisecond

	firstBackoff = 100 * time.Millisecond
	lastBackoff  = 10 * time.Second
)

// ingest moves messages from the bus into history. All of it but stuck belongs
// to the goroutine of run.
type ingest struct {
	// Static after construction.
	db       *history.DB
	hosts    *hosts
	refusals *refusals
	metrics  *metrics
	log      *slog.Logger
	scribe   *scribe

	stuck atomic.Bool // history takes nothing at the moment

	unsettled []*bus.Delivery // oldest first; neither acknowledged nor rejected
	committed int             // how many of them are committed
}

func newIngest(db *history.DB, h *hosts, r *refusals, f *families, m *metrics, l Limits, log *slog.Logger) *ingest {
	return &ingest{db: db, hosts: h, refusals: r, metrics: m, log: log, scribe: newScribe(f, m, l, log)}
}

// run ends when the subscription does.
func (in *ingest) run(ctx context.Context, deliveries <-chan *bus.Delivery) error {
	var due <-chan time.Time // the next sync; nil while everything is settled
	for open := true; open; {
		select {
		case d, ok := <-deliveries:
			if open = ok; ok {
				in.take(d, deliveries)
			}
		case <-due:
			due = nil
			in.settle(ctx)
		}
		in.persist(ctx)
		switch {
		case !open || len(in.unsettled) >= prefetch/2:
			due = nil
			in.settle(ctx)
		case due == nil && len(in.unsettled) > 0:
			due = time.After(syncInterval)
		}
	}
	return nil
}

// take adds a delivery and those that are ready behind it.
func (in *ingest) take(d *bus.Delivery, more <-chan *bus.Delivery) {
	for ; d != nil; d = ready(more) {
		in.unsettled = append(in.unsettled, d)
		if len(in.unsettled) == prefetch {
			return
		}
	}
}

// ready returns the next delivery if there is one now.
func ready(more <-chan *bus.Delivery) *bus.Delivery {
	for range 2 {
		select {
		case d := <-more:
			return d // nil once more is closed, which run sees too
		default:
			runtime.Gosched() // whoever delivers may be about to
		}
	}
	return nil
}

// persist commits what is not yet committed. It tries until it succeeds, or
// returns false when ctx ends before.
func (in *ingest) persist(ctx context.Context) bool {
	for attempt := 0; in.committed < len(in.unsettled); {
		err := in.commit(ctx)
		if err == nil {
			attempt = 0
			continue
		}
		if !in.regain(ctx, err, attempt) {
			return false
		}
		attempt++
	}
	return true
}

// commit stores the next batch and rejects what of it cannot be decoded.
func (in *ingest) commit(ctx context.Context) error {
	began := time.Now()
	batch := in.unsettled[in.committed:]
	var n int
	err := in.db.Append(ctx, func(app storage.Appender, generation int) (err error) {
		n, err = in.scribe.write(app, generation, batch)
		return err
	})
	if err != nil {
		return err
	}
	now := time.Now()
	in.metrics.commits.Observe(now.Sub(began).Seconds())
	in.scribe.report()
	in.note(batch[:n], now)
	kept := in.reject(batch[:n])
	in.unsettled = slices.Delete(in.unsettled, in.committed+kept, in.committed+n)
	in.committed += kept
	return nil
}

// reject hands what cannot be taken, or not all of it, to the dead-letter queue,
// and moves the others to the front; it returns how many they are. The part that
// was taken is synced with the next of the others.
func (in *ingest) reject(batch []*bus.Delivery) (kept int) {
	for i, d := range batch {
		if !in.scribe.verdicts[i].rejected() {
			batch[kept] = d
			kept++
			continue
		}
		if err := d.Reject(); err != nil { // it comes again, and is rejected again
			in.log.Debug("reject a message", "err", err)
		}
	}
	return kept
}

// note takes what messages tell of their hosts, if they could be decoded.
func (in *ingest) note(batch []*bus.Delivery, now time.Time) {
	for i, d := range batch {
		v := &in.scribe.verdicts[i]
		if v.refused != nil {
			in.refusals.add(&v.origin, v.refused, now)
		}
		if v.unreadable != "" {
			continue
		}
		in.hosts.arrived(d, now)
		if !d.Time.IsZero() {
			in.metrics.lag.Set(now.Sub(d.Time).Seconds())
		}
	}
}

// settle brings what is committed to stable storage and acknowledges it.
func (in *ingest) settle(ctx context.Context) {
	if len(in.unsettled) == 0 || !in.persist(ctx) {
		return
	}
	for attempt := 0; ; attempt++ {
		began := time.Now()
		err := in.db.Sync()
		in.metrics.syncs.Observe(time.Since(began).Seconds())
		if err == nil {
			break
		}
		in.committed = 0 // what of it is on disk is not known: all of it again
		if !in.regain(ctx, err, attempt) || !in.persist(ctx) {
			return
		}
	}
	in.metrics.messages.Add(float64(len(in.unsettled)))
	// The samples of all of them outlive the machine's power from here on.
	if err := in.unsettled[len(in.unsettled)-1].Ack(true); err != nil { // they come again, and add nothing
		in.log.Debug("acknowledge messages", "err", err)
	}
	clear(in.unsettled)
	in.unsettled, in.committed = in.unsettled[:0], 0
}

// regain waits until history takes samples again; false means that ctx ended
// before.
func (in *ingest) regain(ctx context.Context, cause error, attempt int) bool {
	in.stuck.Store(true)
	in.metrics.failures.Inc()
	wait := min(firstBackoff<<min(attempt, 10), lastBackoff)
	if attempt == 0 || wait == lastBackoff {
		in.log.Error("history takes no samples, messages wait in the broker", "err", cause)
	}
	for ctx.Err() == nil {
		pause(ctx, wait)
		err := in.db.Restore()
		if err == nil {
			in.stuck.Store(false)
			return true
		}
		in.log.Error("history still takes no samples", "err", err)
		wait = min(2*wait, lastBackoff)
	}
	return false
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
