package agent

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"thump/agent/probe"
	"thump/internal/telemetry"
)

// never is the interval that the last batch of a task which has ended gives: who
// watches for silence expects no more of it.
const never = 24 * time.Hour

// crew runs the tasks of the template that is applied. It belongs to one
// goroutine.
type crew struct {
	// Static after construction.
	common  []telemetry.Label // of every series
	out     *outbox
	log     *slog.Logger
	metrics *metrics

	members map[string]*member       // by the probe's name
	left    map[string]chan struct{} // closed when the member of that name has ended
	running sync.WaitGroup
}

// member is a task that runs.
type member struct {
	probe  probe.Probe
	order  order
	orders chan order
	stop   context.CancelFunc
	ended  chan struct{}
}

func newCrew(cfg *Config, out *outbox, log *slog.Logger, m *metrics) *crew {
	return &crew{
		common: cfg.common(), out: out, log: log, metrics: m,
		members: map[string]*member{}, left: map[string]chan struct{}{},
	}
}

// apply makes the crew run these tasks, until ctx ends. One that runs already
// and is in them again goes on by its schedule.
func (c *crew) apply(ctx context.Context, tasks []task) {
	for name, m := range c.members {
		if !slices.ContainsFunc(tasks, func(t task) bool { return t.probe == m.probe }) {
			c.dismiss(name, m)
		}
	}
	for _, t := range tasks {
		m := c.members[t.probe.Name()]
		switch {
		case m == nil:
			c.hire(ctx, t)
		case m.order.interval != t.interval:
			m.order.interval = t.interval
			m.send()
		}
	}
}

// hire starts a task, after its namesake has ended: a probe never runs twice at
// a time.
func (c *crew) hire(ctx context.Context, t task) {
	name := t.probe.Name()
	ctx, stop := context.WithCancel(ctx)
	m := &member{
		probe: t.probe, order: order{interval: t.interval}, orders: make(chan order, 1),
		stop: stop, ended: make(chan struct{}),
	}
	r := &runner{
		task: t, out: c.out, log: c.log, metrics: c.metrics,
		orders: m.orders, order: m.order, sink: probe.NewSink(c.common),
	}
	namesake := c.left[name]
	c.members[name] = m
	c.running.Go(func() {
		defer close(m.ended)
		if namesake != nil {
			<-namesake
		}
		r.run(ctx)
	})
}

// dismiss ends a task, and has it say so.
func (c *crew) dismiss(name string, m *member) {
	m.stop()
	delete(c.members, name)
	gone := make(chan struct{})
	c.left[name] = gone
	c.running.Go(func() {
		defer close(gone)
		<-m.ended
		c.out.put(name, never, time.Now(), nil)
	})
}

// end waits until all have ended, whose context has ended.
func (c *crew) end() {
	for _, m := range c.members {
		m.stop()
	}
	c.running.Wait()
}

// boost makes some tasks, or all, run more often until a time; they fall back by
// themselves.
func (c *crew) boost(names []string, interval time.Duration, until time.Time) {
	for name, m := range c.members {
		if len(names) == 0 || slices.Contains(names, name) {
			m.order.fast, m.order.until = interval, until
			m.send()
		}
	}
}

// send hands over the order in place of one that was not taken yet.
func (m *member) send() {
	select {
	case <-m.orders:
	default:
	}
	m.orders <- m.order
}
