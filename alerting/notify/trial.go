package notify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/alertmanager/alert"
	amnotify "github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/common/model"
)

// ErrNoReceiver refuses a receiver that the configuration does not have.
var ErrNoReceiver = errors.New("no such receiver")

// Trial is what became of a sample sent by one integration of a receiver.
type Trial struct {
	Integration string  `json:"integration"` // "webhook", and which of several
	Seconds     float64 `json:"seconds"`
	Error       string  `json:"error,omitempty"`
}

// trialTimeout bounds one integration.
const trialTimeout = 15 * time.Second

// Try sends a sample alert to a receiver, once and past all routes.
func (n *Notifier) Try(ctx context.Context, receiver string) ([]Trial, error) {
	n.mu.Lock()
	integrations, ok := n.next.integrations[receiver]
	n.mu.Unlock()
	if !ok {
		return nil, fmt.Errorf("%w: %q", ErrNoReceiver, receiver)
	}
	trials := []Trial{}
	for _, i := range integrations {
		trials = append(trials, try(ctx, receiver, &i))
	}
	return trials, nil
}

func try(ctx context.Context, receiver string, i *amnotify.Integration) Trial {
	ctx, cancel := context.WithTimeout(ctx, trialTimeout)
	defer cancel()
	now := time.Now()
	sample := &alert.Alert{UpdatedAt: now, Alert: model.Alert{
		Labels:      model.LabelSet{"alertname": "ThumpTest", "severity": "info", "instance": "example"},
		Annotations: model.LabelSet{"summary": "This is a test", "description": "Somebody tried whether this receiver works. It does."},
		StartsAt:    now, EndsAt: now.Add(time.Minute),
	}}
	ctx = amnotify.WithReceiverName(ctx, receiver)
	ctx = amnotify.WithGroupKey(ctx, "thump-test-"+now.Format(time.RFC3339Nano))
	ctx = amnotify.WithGroupLabels(ctx, model.LabelSet{"alertname": "ThumpTest"})
	ctx = amnotify.WithNow(ctx, now)
	ctx = amnotify.WithRepeatInterval(ctx, time.Hour)
	_, err := i.Notify(ctx, sample)
	t := Trial{Integration: fmt.Sprint(i), Seconds: time.Since(now).Seconds()}
	if err != nil {
		t.Error = err.Error()
	}
	return t
}
