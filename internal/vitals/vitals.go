// Package vitals publishes what a server process says of itself on /metrics, so
// that history, alerting and dashboards have it with nothing set up. An agent
// needs none of it: it tells of itself as a probe.
package vitals

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"thump/internal/bus"
	"thump/internal/telemetry"
)

// Config of a Reporter.
type Config struct {
	Job      string // label job: thump for a whole pipeline, thump-collector, …
	Host     string // label instance
	Interval time.Duration
}

// Deps of a Reporter.
type Deps struct {
	Bus      bus.Bus // must be running
	Gatherer prometheus.Gatherer
	Logger   *slog.Logger
}

// Reporter publishes a process's own metrics.
type Reporter struct {
	cfg    Config
	deps   Deps
	labels []*dto.LabelPair
}

// New returns a reporter.
func New(cfg Config, deps Deps) *Reporter {
	return &Reporter{cfg, deps, []*dto.LabelPair{pair("instance", cfg.Host), pair("job", cfg.Job)}}
}

func pair(name, value string) *dto.LabelPair { return &dto.LabelPair{Name: &name, Value: &value} }

// Run publishes until ctx ends. What cannot be published is dropped: the next
// report says the same, and newer.
func (r *Reporter) Run(ctx context.Context) error {
	tick := time.NewTicker(r.cfg.Interval)
	defer tick.Stop()
	for r.deps.Bus.Ready(ctx) == nil {
		if err := r.report(ctx); err != nil && ctx.Err() == nil {
			r.deps.Logger.Warn("own metrics not published", "err", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	return nil
}

func (r *Reporter) report(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Interval)
	defer cancel()
	body, err := r.text()
	if err != nil {
		return err
	}
	return r.deps.Bus.Publish(ctx, telemetry.MetricsExchange, &bus.Message{
		Key: telemetry.Key("thump", r.cfg.Host, r.cfg.Job), ContentType: string(expfmt.NewFormat(expfmt.TypeTextPlain)),
		Type: telemetry.MetricsType, Time: time.Now(), Body: body,
	})
}

// text is what the process says of itself, as an exporter would serve it.
func (r *Reporter) text() ([]byte, error) {
	families, err := r.deps.Gatherer.Gather()
	if err != nil {
		return nil, fmt.Errorf("gather own metrics: %w", err)
	}
	var b bytes.Buffer
	for _, f := range families {
		if !own(f.GetName()) {
			continue
		}
		for _, m := range f.Metric {
			m.Label = r.labelled(m.Label)
		}
		if _, err := expfmt.MetricFamilyToText(&b, f); err != nil {
			return nil, fmt.Errorf("write own metrics: %w", err)
		}
	}
	return b.Bytes(), nil
}

// own tells whether a metric is the pipeline's, and not one of an agent in the
// same process.
func own(name string) bool {
	return strings.HasPrefix(name, "thump_") && !strings.HasPrefix(name, "thump_agent_") || strings.HasPrefix(name, "process_")
}

// labelled is a metric's labels and those of the process; as in a scrape, one of
// its own that has such a name becomes exported_.
func (r *Reporter) labelled(labels []*dto.LabelPair) []*dto.LabelPair {
	out := slices.Clone(r.labels)
	for _, l := range labels {
		if slices.ContainsFunc(r.labels, func(ours *dto.LabelPair) bool { return ours.GetName() == l.GetName() }) {
			l = pair("exported_"+l.GetName(), l.GetValue())
		}
		out = append(out, l)
	}
	return out
}
