package notify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/api"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/provider/mem"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/route"
)

// provider is Alertmanager's store of alerts with our door before it, so that
// those that come over the API are noted like those of the rules.
type provider struct {
	*mem.Alerts
	notifier *Notifier
}

// Put implements provider.Alerts.
func (p provider) Put(ctx context.Context, alerts ...*alert.Alert) error {
	return p.notifier.Put(ctx, alerts...)
}

// gcInterval is how often alerts, silences and notifications long past are forgotten.
const gcInterval = 15 * time.Minute

// making holds the makers of the API apart: the library prepares one description
// of it for the whole process, without a lock.
var making sync.Mutex

func newAPI(o api.Options) (*api.API, error) {
	making.Lock()
	defer making.Unlock()
	return api.New(o)
}

// start brings up what needs the context of Run.
func (n *Notifier) start(ctx context.Context) (err error) {
	n.alerts, err = mem.NewAlerts(ctx, gcInterval, 0, n.silencer, n.log, noEvents, n.reg, featurecontrol.NoopFlags{})
	if err != nil {
		return fmt.Errorf("start notifications: %w", err)
	}
	n.api, err = newAPI(api.Options{
		Alerts: provider{n.alerts, n}, Silences: n.silences, GroupMutedFunc: n.groups.Muted, Logger: n.log, Registry: n.reg, Peer: n.member(),
		RequestDuration: requestSeconds(n.reg),
		GroupFunc: func(ctx context.Context, r func(*dispatch.Route) bool, a func(*alert.Alert, time.Time) bool) (dispatch.AlertGroups, map[model.Fingerprint][]string, error) {
			return n.tree.Load().dispatcher.Groups(ctx, r, a)
		},
	})
	if err != nil {
		return fmt.Errorf("start the API of notifications: %w", err)
	}
	// Before the tree: a silent host must inhibit from the first moment.
	if err := n.alerts.Put(ctx, append(n.ledger.past(), n.ledger.all()...)...); err != nil {
		return fmt.Errorf("take up the firing alerts: %w", err)
	}
	n.mu.Lock()
	n.running = true
	n.apply(n.next)
	n.mu.Unlock()
	var h http.Handler = n.api.Register(route.New(), "/")
	n.handler.Store(&h)
	close(n.started)
	return nil
}

func requestSeconds(reg prometheus.Registerer) *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "alertmanager_http_request_duration_seconds", Help: "Latency of requests to the Alertmanager API.",
	}, []string{"handler", "method", "code"})
	reg.MustRegister(h)
	return h
}

// Run notifies until ctx ends. When it returns, what was notified is on disk.
func (n *Notifier) Run(ctx context.Context) error {
	if err := n.start(ctx); err != nil {
		return err
	}
	var keeping sync.WaitGroup
	keeping.Go(func() { n.keeper.run(ctx, n.log) })
	keeping.Go(func() { n.gossip(ctx) })
	n.tick(ctx)
	keeping.Wait()
	n.mu.Lock()
	n.running = false
	n.tree.Load().stop()
	n.mu.Unlock()
	n.alerts.Close()
	return n.keeper.save() // after the last notification
}

// tick does what time brings about until ctx ends.
func (n *Notifier) tick(ctx context.Context) {
	second, gc := time.NewTicker(time.Second), time.NewTicker(gcInterval)
	defer second.Stop()
	defer gc.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-second.C:
			n.tell(n.ledger.expire(now))
			if err := n.openWindows(ctx); err != nil {
				n.log.Error("maintenance window not opened, trying again", "err", err)
			}
		case <-gc.C:
			_, nerr := n.nflog.GC()
			_, serr := n.silences.GC()
			if err := errors.Join(nerr, serr); err != nil {
				n.log.Error("past notifications and silences not forgotten", "err", err)
			}
		}
	}
}

func (n *Notifier) tell(changed []*alert.Alert) {
	if len(changed) > 0 {
		n.noted()
		n.changed(changed)
	}
}
