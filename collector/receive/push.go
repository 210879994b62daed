package receive

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"thump/internal/formats"
	"thump/internal/telemetry"
)

// push takes what is pushed as to a Pushgateway: PUT replaces a group, POST those
// of its metrics that have the same name, DELETE ends it. It is published at once,
// and again once in a scrape interval until it is deleted.
func (r *Receiver) push(w http.ResponseWriter, req *http.Request) error {
	grouping, err := groupingLabels(req.URL.EscapedPath())
	if err != nil {
		return refuse(http.StatusBadRequest, err)
	}
	if req.Method == http.MethodDelete {
		if c := r.pushed.remove(grouping); c != nil {
			if err := r.keep(req.Context(), c, time.Now()); err != nil {
				return err
			}
		}
		w.WriteHeader(http.StatusAccepted)
		return nil
	}
	body, err := r.body(w, req, req.Header.Get("Content-Encoding"))
	if err != nil {
		return err
	}
	now := time.Now()
	content, err := exposed(req.Header, body, now)
	if err != nil {
		return refuse(http.StatusBadRequest, err)
	}
	series, err := inGroup(content.Series, grouping, now)
	if err != nil {
		return refuse(http.StatusBadRequest, err)
	}
	c, err := r.pushed.merge(grouping, series, req.Method == http.MethodPut)
	if err != nil {
		return refuse(http.StatusTooManyRequests, err)
	}
	r.metrics.skip("push", content.Skipped)
	if err := r.keep(req.Context(), c, now); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// keep publishes a change, and keeps it once the broker has confirmed.
func (r *Receiver) keep(ctx context.Context, c *change, now time.Time) error {
	series := ended(c.gone, now)
	if c.next != nil {
		series = append(series, c.next.at(now)...)
	}
	if err := r.forward(ctx, "push", &telemetry.Content{Series: series}); err != nil {
		return err
	}
	r.pushed.apply(c)
	return nil
}

// republish publishes what was pushed once in every interval until ctx ends.
func (r *Receiver) republish(ctx context.Context) {
	tick := time.NewTicker(r.cfg.PushInterval.D())
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			err := r.forward(ctx, "push", &telemetry.Content{Series: r.pushed.all(now)})
			if err != nil && ctx.Err() == nil { // as a scrape that failed
				r.log.Warn("pushed metrics not published, trying again after the interval", "err", err)
			}
		}
	}
}

// exposed reads an exposition: text, or the protobuf that Go's client sends.
func exposed(header http.Header, body []byte, at time.Time) (*telemetry.Content, error) {
	format := expfmt.ResponseFormat(header)
	if format.FormatType() == expfmt.TypeProtoDelim {
		text, err := asText(body, format)
		if err != nil {
			return nil, err
		}
		body = text
	}
	return formats.Text{}.Read(body, at)
}

func asText(body []byte, format expfmt.Format) ([]byte, error) {
	dec := expfmt.NewDecoder(bytes.NewReader(body), format)
	var text bytes.Buffer
	for {
		var family dto.MetricFamily
		err := dec.Decode(&family)
		if errors.Is(err, io.EOF) {
			return text.Bytes(), nil
		}
		if err == nil {
			_, err = expfmt.MetricFamilyToText(&text, &family)
		}
		if err != nil {
			return nil, fmt.Errorf("decode metrics in protobuf: %w", err)
		}
	}
}

// inGroup gives series the grouping labels, over their own, and adds the time of
// the push. Pushed metrics have no times of their own, as in the Pushgateway.
func inGroup(series []telemetry.Series, grouping []telemetry.Label, now time.Time) ([]telemetry.Series, error) {
	pushTime := telemetry.Series{
		Labels: []telemetry.Label{{Name: telemetry.NameLabel, Value: "push_time_seconds"}}, Type: telemetry.Gauge,
		Help:    "Last Unix time when changing this group succeeded.",
		Samples: []telemetry.Sample{{Time: now.UnixMilli(), Value: float64(now.UnixMilli()) / 1000}},
	}
	series = append(series, pushTime)
	for i := range series {
		s := &series[i]
		if s.Samples[0].Time != now.UnixMilli() {
			return nil, errors.New("pushed metrics must not have timestamps")
		}
		s.Labels = slices.DeleteFunc(s.Labels, func(l telemetry.Label) bool {
			return slices.ContainsFunc(grouping, func(g telemetry.Label) bool { return g.Name == l.Name })
		})
		s.Labels = append(s.Labels, grouping...)
		if err := s.Normalize(); err != nil {
			return nil, err
		}
	}
	return series, nil
}

const base64Suffix = "@base64"

// groupingLabels reads /metrics/job/<job>{/<name>/<value>}. A name that ends in
// @base64 says that its value is encoded so, which lets it have slashes.
func groupingLabels(path string) ([]telemetry.Label, error) {
	parts := strings.Split(strings.Trim(strings.TrimPrefix(path, "/metrics/"), "/"), "/")
	if len(parts)%2 != 0 {
		return nil, fmt.Errorf("odd number of components in the path %q", path)
	}
	var all []telemetry.Label
	for i := 0; i < len(parts); i += 2 {
		l, err := groupingLabel(parts[i], parts[i+1])
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(all, func(o telemetry.Label) bool { return o.Name == l.Name }) {
			return nil, fmt.Errorf("label %q twice in the path", l.Name)
		}
		all = append(all, l)
	}
	if all[0].Value == "" {
		return nil, errors.New("job name is required")
	}
	return all, nil
}

func groupingLabel(rawName, rawValue string) (l telemetry.Label, err error) {
	name, err := url.PathUnescape(rawName)
	if err != nil {
		return l, fmt.Errorf("label name %q: %w", rawName, err)
	}
	name, encoded := strings.CutSuffix(name, base64Suffix)
	l.Name = name
	if !model.LegacyValidation.IsValidLabelName(name) || strings.HasPrefix(name, "__") {
		return l, fmt.Errorf("improper label name %q", name)
	}
	if !encoded {
		l.Value, err = url.PathUnescape(rawValue)
	} else {
		var b []byte
		b, err = base64.RawURLEncoding.DecodeString(strings.TrimRight(rawValue, "="))
		l.Value = string(b)
	}
	if err != nil {
		return l, fmt.Errorf("value of label %q: %w", name, err)
	}
	return l, nil
}
