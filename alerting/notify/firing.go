package notify

import (
	"context"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/common/model"
)

// Firing is an alert that fires, and what keeps it from being told.
type Firing struct {
	*alert.Alert
	Ack       *Ack
	Silenced  bool
	Inhibited bool
	Receivers []string
}

// Firing returns the alerts that fire.
func (n *Notifier) Firing(ctx context.Context) []Firing {
	all := n.ledger.all()
	out := make([]Firing, len(all))
	for i, a := range all {
		out[i] = Firing{Alert: a, Ack: n.ledger.ack(a.Fingerprint())}
		if t := n.tree.Load(); t != nil {
			p := t.preview(ctx, n, a.Labels)
			out[i].Silenced, out[i].Inhibited, out[i].Receivers = p.Silenced, p.Inhibited, p.receivers()
		}
	}
	return out
}

// Way is one route that an alert would take.
type Way struct {
	Receiver string   `json:"receiver"`
	Route    string   `json:"route"` // its matchers, from the root
	GroupBy  []string `json:"group_by"`
	Wait     string   `json:"group_wait"`
	Repeat   string   `json:"repeat_interval"`
}

// Preview is whom an alert with some labels would be told to.
type Preview struct {
	Ways      []Way `json:"ways"`
	Silenced  bool  `json:"silenced"`
	Inhibited bool  `json:"inhibited"`
}

// Preview tells whom an alert would be told to now.
func (n *Notifier) Preview(ctx context.Context, labels model.LabelSet) Preview {
	if t := n.tree.Load(); t != nil {
		return t.preview(ctx, n, labels)
	}
	return Preview{Ways: []Way{}}
}

func (t *tree) preview(ctx context.Context, n *Notifier, labels model.LabelSet) Preview {
	p := Preview{Ways: []Way{}, Silenced: n.silencer.Mutes(ctx, labels), Inhibited: t.inhibitor.Mutes(ctx, labels)}
	for _, r := range t.routes.Match(labels) {
		o := &r.RouteOpts
		w := Way{
			Receiver: o.Receiver, Route: r.Key(), GroupBy: []string{},
			Wait: o.GroupWait.String(), Repeat: o.RepeatInterval.String(),
		}
		for name := range o.GroupBy {
			w.GroupBy = append(w.GroupBy, string(name))
		}
		p.Ways = append(p.Ways, w)
	}
	return p
}

func (p *Preview) receivers() []string {
	var all []string
	for _, w := range p.Ways {
		all = append(all, w.Receiver)
	}
	return all
}
