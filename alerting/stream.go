package alerting

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/template"
	"github.com/prometheus/common/model"

	"thump/internal/bus"
	"thump/internal/telemetry"
)

// alertType is the type property of a message that carries an alert.
const alertType = "alert"

// streamBound is how many changes wait for the broker at most; beyond it new
// ones are dropped.
const streamBound = 4096

// stream publishes each change of an alert, so that anyone can subscribe.
type stream struct {
	bus     bus.Bus
	log     *slog.Logger
	metrics *metrics
	waiting chan *bus.Message
}

func newStream(b bus.Bus, log *slog.Logger, m *metrics) *stream {
	return &stream{bus: b, log: log, metrics: m, waiting: make(chan *bus.Message, streamBound)}
}

// offer takes alerts that began to fire, or ended. It does not block.
func (s *stream) offer(changed []*alert.Alert) {
	now := time.Now()
	for _, a := range changed {
		m, err := alertMessage(a, now)
		if err != nil {
			s.log.Error("alert not published", "err", err, "alert", a.Name())
			continue
		}
		select {
		case s.waiting <- m:
		default:
			s.metrics.changes.WithLabelValues("dropped").Inc()
		}
	}
}

// run publishes until ctx ends.
func (s *stream) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case m := <-s.waiting:
			s.publish(ctx, m)
		}
	}
}

// publish tries until the broker has the message.
func (s *stream) publish(ctx context.Context, m *bus.Message) {
	if deliver(ctx, s.bus, telemetry.AlertsExchange, m) {
		s.metrics.changes.WithLabelValues("published").Inc()
	}
}

// publishRetry is the pause before a message is published again.
const publishRetry = time.Second

// deliver tries until the broker has the message, and is false if ctx ended
// before. That nobody has subscribed is no failure.
func deliver(ctx context.Context, b bus.Bus, exchange string, m *bus.Message) bool {
	for ctx.Err() == nil && b.Ready(ctx) == nil {
		err := b.Publish(ctx, exchange, m)
		if err == nil || errors.Is(err, bus.ErrUnroutable) {
			return true
		}
		select {
		case <-ctx.Done():
		case <-time.After(publishRetry):
		}
	}
	return false
}

// alertMessage is the message of one alert: the JSON has the shape of an alert
// in Alertmanager's webhook, the key is severity.alertname.host.
func alertMessage(a *alert.Alert, now time.Time) (*bus.Message, error) {
	fp := a.Fingerprint().String()
	status := string(a.StatusAt(now))
	body, err := json.Marshal(template.Alert{
		Status: status, Labels: keyValues(a.Labels), Annotations: keyValues(a.Annotations),
		StartsAt: a.StartsAt, EndsAt: a.EndsAt, GeneratorURL: a.GeneratorURL, Fingerprint: fp,
	})
	if err != nil {
		return nil, fmt.Errorf("encode alert: %w", err)
	}
	host := string(a.Labels["instance"])
	return &bus.Message{
		Key:         word(string(a.Labels["severity"])) + "." + word(a.Name()) + "." + word(host),
		ContentType: telemetry.JSONContentType,
		Type:        alertType,
		ID:          fmt.Sprintf("%s-%d-%s", fp, a.StartsAt.UnixMilli(), status),
		Time:        now,
		Headers:     map[string]string{telemetry.HostHeader: host},
		Body:        body,
	}, nil
}

func keyValues(set model.LabelSet) template.KV {
	kv := make(template.KV, len(set))
	for k, v := range set {
		kv[string(k)] = string(v)
	}
	return kv
}

// word is a name as a word of a routing key, which must not be empty.
func word(name string) string {
	if name == "" {
		return "none"
	}
	return telemetry.Word(name)
}
