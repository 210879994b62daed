package collector

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"thump/collector/templates"
	"thump/internal/bus"
	"thump/internal/control"
	"thump/internal/telemetry"
)

const (
	tellWithin = 5 * time.Second // for the broker to confirm what an agent is told
	telling    = 32              // agents told at a time
)

// steering answers agents, which report and thereby ask for their template, and
// tells them of a template that has changed.
type steering struct {
	// Static after construction.
	bus     bus.Bus
	folder  *templates.Folder
	hosts   *hosts
	log     *slog.Logger
	metrics *metrics
	changed chan struct{} // holds that the set has changed
}

// newSteering has agents told at its start what changed while it was away.
func newSteering(b bus.Bus, f *templates.Folder, h *hosts, log *slog.Logger, m *metrics) *steering {
	s := &steering{bus: b, folder: f, hosts: h, log: log, metrics: m, changed: make(chan struct{}, 1)}
	s.change()
	return s
}

// change makes the agents concerned be told. It does not wait.
func (s *steering) change() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// run steers until ctx ends.
func (s *steering) run(ctx context.Context, reports <-chan *bus.Delivery) error {
	var g errgroup.Group // what is being told
	g.SetLimit(telling)
	defer g.Wait()
	g.Go(func() error { s.folder.Run(ctx, s.change); return nil })
	for {
		select {
		case d, ok := <-reports:
			if !ok {
				return nil
			}
			s.answer(ctx, &g, &d.Message)
		case <-s.changed:
			s.push(ctx, &g)
		case <-ctx.Done():
			return nil
		}
	}
}

// answer takes one report. While there is no good set of templates nothing is
// answered, and the agent stays with what it has.
func (s *steering) answer(ctx context.Context, g *errgroup.Group, m *bus.Message) {
	r, err := control.DecodeReport(m)
	// An agent may not have us tell others what to do: only reply keys are answered.
	if err != nil || !strings.HasPrefix(m.ReplyTo, control.ReplyKey("")) {
		s.metrics.reports.WithLabelValues("malformed").Inc()
		s.log.Warn("report not understood", "err", err, "reply_to", m.ReplyTo)
		return
	}
	s.metrics.reports.WithLabelValues("taken").Inc()
	s.hosts.reported(r, time.Now())
	h := matchable(r)
	s.tell(ctx, g, m.ReplyTo, m.CorrelationID, &h, r.Revision)
}

// push tells the agents whose template is another than the one they apply.
func (s *steering) push(ctx context.Context, g *errgroup.Group) {
	set, _ := s.folder.Set()
	for _, r := range s.hosts.agents() {
		h := matchable(&r)
		if set != nil && set.For(&h).Revision != r.Revision {
			s.tell(ctx, g, control.HostKey(h.Name), "", &h, r.Revision)
		}
	}
}

// tell sends a host its template, or only the revision if that is what it has.
func (s *steering) tell(ctx context.Context, g *errgroup.Group, key, correlation string, h *templates.Host, has string) {
	set, _ := s.folder.Set()
	if set == nil {
		return
	}
	e := set.For(h)
	s.hosts.wants(h.Name, e.Revision)
	t := control.Template{Host: h.Name, Revision: e.Revision}
	if has != e.Revision {
		t.Body = e.Body
	}
	m, err := control.Encode(control.TemplateType, key, &t)
	if err != nil {
		s.log.Error("template too large for an agent", "host", h.Name, "err", err)
		return
	}
	m.CorrelationID = correlation
	g.Go(func() error {
		ctx, cancel := context.WithTimeout(ctx, tellWithin)
		defer cancel()
		if err := s.bus.Publish(ctx, telemetry.ControlExchange, m); err != nil { // it will ask again
			s.metrics.told.WithLabelValues("failed").Inc()
			s.log.Debug("agent not told", "host", t.Host, "err", err)
			return nil
		}
		s.metrics.told.WithLabelValues("sent").Inc()
		return nil
	})
}

// matchable is the host that a report is of, for the files to match.
func matchable(r *control.Report) templates.Host {
	return templates.Host{Name: r.Host, Groups: r.Groups, Labels: r.Labels}
}
