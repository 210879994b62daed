package rules

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	promrules "github.com/prometheus/prometheus/rules"
)

// Wish asks for an evaluation of groups.
func (e *Engine) Wish(c Cause, groups ...string) {
	e.wish(func(s *schedule, now time.Time) {
		for _, key := range groups {
			s.wish(key, c, now)
		}
	})
}

// Arrived asks for an evaluation of groups of which each reads what has arrived of
// some hosts.
func (e *Engine) Arrived(groups map[string]Hosts) {
	e.wish(func(s *schedule, now time.Time) {
		for key, hosts := range groups {
			s.arrive(key, hosts, now)
		}
	})
}

func (e *Engine) wish(note func(*schedule, time.Time)) {
	now := time.Now()
	e.wishes.Lock()
	note(e.schedule, now)
	e.wishes.Unlock()
	select {
	case e.woken <- struct{}{}:
	default: // the wake-up that waits is for this wish too
	}
}

// WishAll asks for an evaluation of all groups.
func (e *Engine) WishAll(c Cause) {
	e.mu.Lock()
	keys := slices.Collect(maps.Keys(e.groups))
	e.mu.Unlock()
	e.Wish(c, keys...)
}

// Evaluated is when a group was evaluated last.
func (e *Engine) Evaluated() time.Time { return time.UnixMilli(e.evaluated.Load()) }

// Run evaluates until ctx ends.
func (e *Engine) Run(ctx context.Context) error {
	if err := e.begin(); err != nil {
		return err
	}
	var manager sync.WaitGroup
	manager.Go(e.manager.Run)
	e.loop(ctx)
	e.mu.Lock()
	e.running = false
	e.mu.Unlock()
	e.manager.Stop()
	manager.Wait()
	return nil
}

func (e *Engine) begin() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.running = true
	return e.update()
}

func (e *Engine) loop(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.woken:
		case <-timer.C:
		}
		for ctx.Err() == nil && e.evaluateNext(ctx) {
		}
		if at, ok := e.next(); ok {
			timer.Reset(time.Until(at))
		}
	}
}

func (e *Engine) next() (time.Time, bool) {
	e.wishes.Lock()
	defer e.wishes.Unlock()
	return e.schedule.next()
}

// evaluateNext evaluates one group that is due, if there is one.
func (e *Engine) evaluateNext(ctx context.Context) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	key, cause, hosts, at, ok := e.take(now)
	if !ok {
		return false
	}
	g := e.groups[key]
	e.unknown.freeze(g, at)
	promrules.DefaultEvalIterationFunc(within(ctx, newScope(hosts)), g, at)
	end := time.Now()
	e.evaluated.Store(end.UnixMilli())
	e.metrics.evaluated(cause, end.Sub(now))
	e.settleNext(key, end, end.Sub(now), holdEnd(g, at))
	if cause != Recorded { // so that two groups that read each other do not go round for ever
		e.Wish(Recorded, e.set.Load().readersOf(g)...)
	}
	return true
}

func (e *Engine) take(now time.Time) (key string, c Cause, hosts Hosts, at time.Time, ok bool) {
	e.wishes.Lock()
	defer e.wishes.Unlock()
	e.metrics.coalesced.Add(float64(e.schedule.coalesced))
	e.schedule.coalesced = 0
	if key, c, ok = e.schedule.take(now); ok {
		hosts, at = e.schedule.about(key, c), e.schedule.timeOf(key, now)
	}
	return key, c, hosts, at, ok
}

func (e *Engine) settleNext(key string, end time.Time, took time.Duration, hold time.Time) {
	e.wishes.Lock()
	defer e.wishes.Unlock()
	e.schedule.done(key, end, took, hold)
}

// holdEnd is the next time after at when an alert of the group fires since its
// for is over, or ends since its keep_firing_for is; zero if none does.
func holdEnd(g *promrules.Group, at time.Time) time.Time {
	var next time.Time
	note := func(end time.Time) {
		if end.After(at) && (next.IsZero() || end.Before(next)) {
			next = end
		}
	}
	for _, r := range g.Rules() {
		rule, ok := r.(*promrules.AlertingRule)
		if !ok || rule.HoldDuration() == 0 && rule.KeepFiringFor() == 0 {
			continue
		}
		rule.ForEachActiveAlert(func(a *promrules.Alert) {
			switch {
			case a.State == promrules.StatePending:
				note(a.ActiveAt.Add(rule.HoldDuration()))
			case a.State == promrules.StateFiring && !a.KeepFiringSince.IsZero():
				note(a.KeepFiringSince.Add(rule.KeepFiringFor()))
			}
		})
	}
	return next
}
