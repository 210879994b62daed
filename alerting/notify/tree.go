package notify

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/inhibit"
	amnotify "github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/timeinterval"
	"github.com/prometheus/common/model"
)

// tree is the part of an Alertmanager that a configuration makes, and the next
// one replaces.
type tree struct {
	inhibitor  *inhibit.Inhibitor
	dispatcher *dispatch.Dispatcher
	stage      *counted
	routes     *dispatch.Route
	running    sync.WaitGroup
}

// counted lets notifications under way end before the dispatcher is stopped,
// which would cut them off: somebody was told, and it would not be known.
type counted struct {
	amnotify.Stage
	underWay sync.WaitGroup

	mu     sync.Mutex
	ending bool // none is begun any more; guarded by mu
}

// Exec implements notify.Stage.
func (c *counted) Exec(ctx context.Context, l *slog.Logger, alerts ...*alert.Alert) (context.Context, []*alert.Alert, error) {
	if !c.begin() {
		<-ctx.Done() // the dispatcher ends it next
		return ctx, nil, ctx.Err()
	}
	defer c.underWay.Done()
	return c.Stage.Exec(ctx, l, alerts...)
}

func (c *counted) begin() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ending {
		c.underWay.Add(1)
	}
	return !c.ending
}

// end lets none begin any more. The channel is closed when none is under way.
func (c *counted) end() <-chan struct{} {
	c.mu.Lock()
	c.ending = true
	c.mu.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.underWay.Wait()
	}()
	return done
}

// underWayGrace is for how long a notification under way may go on when its tree
// is stopped.
const underWayGrace = 2 * time.Second

func (t *tree) stop() {
	if t == nil {
		return
	}
	ended := t.stage.end()
	select {
	case <-ended:
	case <-time.After(underWayGrace):
	}
	t.dispatcher.Stop()
	<-ended
	t.inhibitor.Stop()
	t.running.Wait()
}

// apply replaces the tree by the one that p makes. The caller holds mu.
func (n *Notifier) apply(p *plan) {
	n.tree.Load().stop()
	t := &tree{inhibitor: inhibit.NewInhibitor(n.alerts, p.conf.InhibitRules, n.log, noEvents), routes: p.routes}
	none := inhibit.NewInhibitor(n.alerts, nil, n.log, noEvents) // holdback inhibits
	t.stage = &counted{Stage: &holdback{inhibitor: t.inhibitor, ledger: n.ledger, noted: n.noted, Stage: n.pipeline.New(
		p.integrations, n.wait, none, n.silencer, timeinterval.NewIntervener(p.intervals), n.groups, n.nflog, n.settling(),
	)}}
	n.api.Update(p.conf, func(ctx context.Context, l model.LabelSet) {
		n.tree.Load().inhibitor.Mutes(ctx, l)
		n.silencer.Mutes(ctx, l)
	})
	atLeast := func(d time.Duration) time.Duration { return max(d, amnotify.MinTimeout) + n.wait() }
	t.dispatcher = dispatch.NewDispatcher(n.alerts, p.routes, t.stage, n.groups, atLeast, dispatchMaintenance, nil,
		n.log, noEvents, n.dispatch, p.templates)
	// The inhibitor first: nothing is sent that it would have held back.
	t.running.Go(t.inhibitor.Run)
	t.inhibitor.WaitForLoading()
	t.running.Go(func() { t.dispatcher.Run(time.Now()) })
	t.dispatcher.WaitForLoading()
	n.tree.Store(t)
}

// dispatchMaintenance is how often the dispatcher drops groups without alerts.
const dispatchMaintenance = 30 * time.Second
