package notify

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/alertmanager/alert"
	amnotify "github.com/prometheus/alertmanager/notify"
)

// holdback is the first stage of the pipeline: an alert that fires and is
// inhibited, or acknowledged, stops here.
//
// Alertmanager's own stage drops what is inhibited when it ends, too, so that
// whoever was told that it fires is never told that it ended. Here the end goes
// on if the beginning did; the pipeline behind has no inhibition of its own.
type holdback struct {
	amnotify.Stage
	inhibitor amnotify.Muter
	ledger    *ledger
	noted     func() // the ledger changed
}

// Exec implements notify.Stage.
func (h *holdback) Exec(ctx context.Context, l *slog.Logger, alerts ...*alert.Alert) (context.Context, []*alert.Alert, error) {
	now, kept := time.Now(), make([]*alert.Alert, 0, len(alerts))
	for _, a := range alerts {
		if h.passes(ctx, a, now) {
			kept = append(kept, a)
		}
	}
	if len(kept) == 0 {
		return ctx, nil, nil
	}
	return h.Stage.Exec(ctx, l, kept...)
}

func (h *holdback) passes(ctx context.Context, a *alert.Alert, now time.Time) bool {
	fp := a.Fingerprint()
	if a.ResolvedAt(now) {
		return h.ledger.told(fp)
	}
	if h.inhibitor.Mutes(ctx, a.Labels) || h.ledger.acknowledged(fp) {
		return false
	}
	if h.ledger.tell(fp) {
		h.noted()
	}
	return true
}
