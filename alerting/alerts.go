package alerting

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	promrules "github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/util/strutil"

	"thump/alerting/notify"
)

// handOver gives the notifier what the rules say of their alerts.
func handOver(n *notify.Notifier, external string, log *slog.Logger) promrules.NotifyFunc {
	return func(ctx context.Context, expr string, alerts ...*promrules.Alert) {
		if len(alerts) == 0 {
			return
		}
		link := external + strutil.TableLinkForExpression(expr)
		out := make([]*alert.Alert, len(alerts))
		for i, a := range alerts {
			out[i] = convert(a, link)
		}
		if err := n.Put(ctx, out...); err != nil && ctx.Err() == nil {
			log.Error("alerts not handed over", "err", err, "count", len(out))
		}
	}
}

func convert(a *promrules.Alert, link string) *alert.Alert {
	end := a.ValidUntil
	if !a.ResolvedAt.IsZero() {
		end = a.ResolvedAt
	}
	return &alert.Alert{
		Alert: model.Alert{
			Labels: labelSet(a.Labels), Annotations: labelSet(a.Annotations),
			StartsAt: a.FiredAt, EndsAt: end, GeneratorURL: link,
		},
		UpdatedAt: time.Now(),
	}
}

func labelSet(ls labels.Labels) model.LabelSet {
	set := make(model.LabelSet, ls.Len())
	ls.Range(func(l labels.Label) { set[model.LabelName(l.Name)] = model.LabelValue(l.Value) })
	return set
}
