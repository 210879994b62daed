package agent

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"thump/agent/spool"
	"thump/internal/bus"
	"thump/internal/telemetry"
)

const (
	inFlight    = 8               // batches being published at a time
	freshLimit  = 64              // fresh batches held in memory; the oldest goes back to the spool first
	endGrace    = 2 * time.Second // for what is in flight when the agent ends
	backlogStep = 10              // batches of backlog published at once after a pause
)

// item is a batch on its way.
type item struct {
	ref     spool.Ref
	message *bus.Message
}

// publisher publishes what is fresh first and the spool's backlog behind it, at a
// bounded rate. A batch that the broker does not confirm goes back to the spool.
type publisher struct {
	// Static after construction.
	bus     bus.Bus
	spool   *spool.Spool
	log     *slog.Logger
	metrics *metrics
	limit   *rate.Limiter
	gate    *gate
	fresh   chan item
	backlog chan item
}

func newPublisher(b bus.Bus, s *spool.Spool, backlogRate int, log *slog.Logger, m *metrics) *publisher {
	return &publisher{
		bus: b, spool: s, log: log, metrics: m,
		limit:   rate.NewLimiter(rate.Limit(backlogRate), min(backlogStep, backlogRate)),
		gate:    newGate(log),
		fresh:   make(chan item, freshLimit),
		backlog: make(chan item),
	}
}

// offer hands over a fresh batch without waiting. The caller serializes calls.
func (p *publisher) offer(it item) {
	for {
		select {
		case p.fresh <- it:
			return
		default:
		}
		select {
		case oldest := <-p.fresh:
			p.spool.Release(oldest.ref)
		default:
		}
	}
}

// run publishes until ctx ends, and then for up to endGrace what is in flight or
// fresh. All else is in the spool when it returns.
func (p *publisher) run(ctx context.Context) {
	sending, stop := outlast(ctx, endGrace)
	defer stop()
	var wg sync.WaitGroup
	wg.Go(func() { p.feed(ctx) })
	for range inFlight {
		wg.Go(func() { p.work(ctx, sending) })
	}
	wg.Wait()
}

// outlast returns a context that ends a while after ctx.
func outlast(ctx context.Context, grace time.Duration) (context.Context, func()) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	unhook := context.AfterFunc(ctx, func() {
		t := time.NewTimer(grace)
		defer t.Stop()
		select {
		case <-t.C:
		case <-longer.Done():
		}
		cancel()
	})
	return longer, func() { unhook(); cancel() }
}

// feed hands the backlog to the workers, oldest first.
func (p *publisher) feed(ctx context.Context) {
	for p.open(ctx) && p.limit.Wait(ctx) == nil {
		ref, m, ok := p.spool.Next()
		if !ok {
			select {
			case <-p.spool.Waiting():
				continue
			case <-ctx.Done():
				return
			}
		}
		select {
		case p.backlog <- item{ref, m}:
		case <-ctx.Done():
			p.spool.Release(ref)
			return
		}
	}
}

// work publishes one batch after another until ctx ends, and then what is still
// fresh if the broker is there; sending is the context of publishing.
func (p *publisher) work(ctx, sending context.Context) {
	for p.open(ctx) {
		it, ok := p.take(ctx)
		if !ok {
			break
		}
		p.publish(sending, it)
	}
	for p.bus.Connected() && sending.Err() == nil {
		select {
		case it := <-p.fresh:
			p.publish(sending, it)
		default:
			return
		}
	}
}

// open waits until there is hope that a batch can be published.
func (p *publisher) open(ctx context.Context) bool {
	return p.gate.wait(ctx) && p.bus.Ready(ctx) == nil
}

// take waits for the next batch, a fresh one if there is one.
func (p *publisher) take(ctx context.Context) (item, bool) {
	select {
	case it := <-p.fresh:
		return it, true
	default:
	}
	select {
	case it := <-p.fresh:
		return it, true
	case it := <-p.backlog:
		return it, true
	case <-ctx.Done():
		return item{}, false
	}
}

// publish tries once. The message is the same each time, its ID included, so that
// a subscriber can tell a repetition.
func (p *publisher) publish(ctx context.Context, it item) {
	err := p.bus.Publish(ctx, telemetry.MetricsExchange, it.message)
	if err != nil {
		p.spool.Release(it.ref)
		p.metrics.unpublished.WithLabelValues(reason(err)).Inc()
		p.gate.fail(time.Now(), err)
		return
	}
	p.spool.Done(it.ref) // only now: the broker has it
	p.metrics.published.Inc()
	p.gate.pass()
}

// reason is an error of Publish as a label.
func reason(err error) string {
	switch {
	case errors.Is(err, bus.ErrNotConnected):
		return "not_connected"
	case errors.Is(err, bus.ErrLinkLost):
		return "link_lost"
	case errors.Is(err, bus.ErrUnroutable):
		return "unroutable"
	case errors.Is(err, bus.ErrRefused):
		return "refused"
	}
	return "other"
}
