package alerting

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/prometheus/alertmanager/template"
	"github.com/prometheus/common/model"
)

// heartbeatTimeout bounds one beat.
const heartbeatTimeout = 10 * time.Second

// heartbeat tells a URL, again and again, that alerting is alive: whoever watches
// that URL notices when it no longer is. It is an alert that always fires, in the
// webhook's shape, and is withheld while alerting is deaf: its link to the broker
// is down, or rules are not evaluated.
func (a *Alerting) heartbeat(ctx context.Context) error {
	if a.cfg.Heartbeat.URL == "" {
		return nil
	}
	client := &http.Client{Timeout: heartbeatTimeout}
	tick := time.NewTicker(a.cfg.Heartbeat.Interval.D())
	defer tick.Stop()
	defer client.CloseIdleConnections()
	for from := time.Now(); ; {
		err := a.deaf(time.Now())
		if err == nil {
			err = a.beat(ctx, client, from)
		}
		a.metrics.heartbeats.WithLabelValues(outcome(err)).Inc()
		if err != nil && ctx.Err() == nil {
			a.log.Warn("no heartbeat", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func outcome(err error) string {
	if err != nil {
		return "failed"
	}
	return "sent"
}

// deaf tells why nothing would fire.
func (a *Alerting) deaf(now time.Time) error {
	if !a.bus.Connected() {
		return errors.New("alerting has no link to the broker")
	}
	if last := a.rules.Evaluated(); now.Sub(last) > 2*a.cfg.Heartbeat.Interval.D() {
		return fmt.Errorf("no rule was evaluated since %s", last.UTC().Format(time.RFC3339))
	}
	return nil
}

func (a *Alerting) beat(ctx context.Context, client *http.Client, from time.Time) error {
	set := model.LabelSet{"alertname": "Watchdog", "severity": "none"}
	body, err := json.Marshal(template.Data{
		Receiver: "heartbeat", Status: string(model.AlertFiring), ExternalURL: a.cfg.ExternalURL,
		GroupLabels: keyValues(set), CommonLabels: keyValues(set), CommonAnnotations: template.KV{},
		Alerts: template.Alerts{{
			Status: string(model.AlertFiring), Labels: keyValues(set), StartsAt: from, Fingerprint: set.Fingerprint().String(),
			Annotations: template.KV{"summary": "thump's alerting is alive: worry when this stops"},
		}},
	})
	if err != nil {
		return fmt.Errorf("encode heartbeat: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.cfg.Heartbeat.URL, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("heartbeat: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	r, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("heartbeat: %w", err)
	}
	defer r.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, maxBody)) // so that the connection is used again
	if r.StatusCode/100 != 2 {
		return fmt.Errorf("heartbeat: %s answers %s", a.cfg.Heartbeat.URL, r.Status)
	}
	return nil
}
