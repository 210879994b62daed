package agent

import (
	"context"
	"log/slog"
	"time"

	"thump/agent/probe"
)

// order says how often a probe runs.
type order struct {
	interval time.Duration // by the template
	fast     time.Duration // until then, if it is shorter
	until    time.Time
}

// at is the interval that holds at a time.
func (o order) at(now time.Time) time.Duration {
	if now.Before(o.until) && o.fast < o.interval {
		return o.fast
	}
	return o.interval
}

// runner runs one probe by its schedule.
type runner struct {
	// Static after construction.
	task
	out     *outbox
	log     *slog.Logger
	metrics *metrics
	orders  chan order // holds the newest that run has not taken

	// Owned by run.
	order   order
	start   time.Time // of the warm-up; zero without
	sink    *probe.Sink
	problem string // of the last run
}

// run returns when ctx ends.
func (r *runner) run(ctx context.Context) {
	begun := time.Now()
	if r.splay == 0 {
		r.start = begun
	}
	last, next := begun.Add(-1), begun.Add(r.splay)
	timer := time.NewTimer(r.splay)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			r.once(ctx)
			var skipped int
			last = next
			next, skipped = r.schedule().next(last, time.Now())
			r.metrics.skip(r.probe.Name(), skipped)
		case o := <-r.orders:
			next = r.obey(o, last)
		case <-ctx.Done():
			return
		}
		timer.Reset(time.Until(next))
	}
}

func (r *runner) schedule() schedule {
	return newSchedule(r.key, r.order.at(time.Now()), r.start)
}

// obey returns the tick to wait for under a new order. A new interval is told by a
// run at once, before the old one is missed; a tick that has passed by a boost is
// made up for at once too. So a change leaves no gap.
func (r *runner) obey(o order, last time.Time) time.Time {
	other := o.interval != r.order.interval
	r.order = o
	next, now := r.schedule().after(last), time.Now()
	if other || next.Before(now) {
		return now
	}
	return next
}

// once runs the probe and sends what it read. What it says of the interval is
// the template's, even while the probe runs more often: that is what others may
// count on.
func (r *runner) once(ctx context.Context) {
	now := time.Now()
	err := probe.Measure(ctx, r.probe, r.sink, now)
	if ctx.Err() != nil { // cut short by the end
		return
	}
	r.note(err)
	r.out.put(r.probe.Name(), r.order.interval, now, r.sink.Series())
}

// note counts a failure, and logs it unless the run before failed alike.
func (r *runner) note(err error) {
	problem := ""
	if err != nil {
		problem = err.Error()
		r.metrics.failures.WithLabelValues(r.probe.Name()).Inc()
	}
	switch {
	case problem == r.problem:
	case err != nil:
		r.log.Warn("probe failed", "err", err)
	default:
		r.log.Info("probe works again", "probe", r.probe.Name())
	}
	r.problem = problem
}
