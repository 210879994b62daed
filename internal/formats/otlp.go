package formats

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/storage/remote/otlptranslator/prometheusremotewrite"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"

	"thump/internal/bus"
	"thump/internal/telemetry"
)

// OTLP is OpenTelemetry's ExportMetricsServiceRequest, translated to names and
// labels as Prometheus does it. The resource's host.name becomes a label, so that
// hosts whose collectors do not name a service stay apart.
type OTLP struct{}

// MaxOTLP bounds a body, which takes many times that to decode; bytes.
const MaxOTLP = 8 << 20

// RoutingKey is what OpenTelemetry's rabbitmq exporter publishes metrics under;
// it gives them no content type.
const RoutingKey = "otlp_metrics"

const exportRequest = "opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest"

// Takes implements telemetry.Format.
func (OTLP) Takes(m *bus.Message, media string, params map[string]string) bool {
	return m.Key == RoutingKey && (media == "" || media == "application/x-protobuf") ||
		media == "application/x-protobuf" && params["proto"] == exportRequest
}

// Read implements telemetry.Format. A body may be JSON as well: no protobuf
// message begins with a brace.
func (OTLP) Read(body []byte, at time.Time) (*telemetry.Content, error) {
	if len(body) > MaxOTLP {
		return nil, fmt.Errorf("decode OTLP: %d bytes, more than %d", len(body), MaxOTLP)
	}
	request := pmetricotlp.NewExportRequest()
	unmarshal := request.UnmarshalProto
	if bytes.HasPrefix(body, []byte("{")) {
		unmarshal = request.UnmarshalJSON
	}
	if err := unmarshal(body); err != nil {
		return nil, fmt.Errorf("decode OTLP: %w", err)
	}
	r := &recorder{at: at.UnixMilli()}
	removeDeltas(request.Metrics(), &r.content)
	ctx := context.Background() // a format has none: nothing waits, and the body is bounded
	_, err := prometheusremotewrite.NewPrometheusConverter(r).FromMetrics(ctx, request.Metrics(), settings())
	if r.full != nil {
		return nil, fmt.Errorf("decode OTLP: %w", r.full)
	}
	for range leaves(err) {
		r.content.Skip(skippedUnreadable)
	}
	return &r.content, nil
}

func settings() prometheusremotewrite.Settings {
	cfg := config.DefaultOTLPConfig
	cfg.PromoteResourceAttributes = []string{"host.name"}
	return prometheusremotewrite.Settings{
		AddMetricSuffixes:               true,
		PromoteResourceAttributes:       prometheusremotewrite.NewPromoteResourceAttributes(cfg),
		LookbackDelta:                   5 * time.Minute, // how far apart target_info is written
		LabelNameUnderscoreSanitization: true,
	}
}

// removeDeltas takes out what the translator would refuse without saying how
// many samples it is.
func removeDeltas(md pmetric.Metrics, c *telemetry.Content) {
	for _, r := range md.ResourceMetrics().All() {
		for _, s := range r.ScopeMetrics().All() {
			s.Metrics().RemoveIf(func(m pmetric.Metric) bool {
				points, temporality := points(m)
				if temporality != pmetric.AggregationTemporalityDelta {
					return false
				}
				for range points {
					c.Skip(skippedDelta)
				}
				return true
			})
		}
	}
}

// points counts those of a metric that has a temporality.
func points(m pmetric.Metric) (int, pmetric.AggregationTemporality) {
	switch m.Type() {
	case pmetric.MetricTypeSum:
		return m.Sum().DataPoints().Len(), m.Sum().AggregationTemporality()
	case pmetric.MetricTypeHistogram:
		return m.Histogram().DataPoints().Len(), m.Histogram().AggregationTemporality()
	case pmetric.MetricTypeExponentialHistogram:
		return m.ExponentialHistogram().DataPoints().Len(), m.ExponentialHistogram().AggregationTemporality()
	}
	return 0, pmetric.AggregationTemporalityCumulative
}

// leaves counts the errors that are joined in one.
func leaves(err error) int {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		n := 0
		for _, e := range joined.Unwrap() {
			n += leaves(e)
		}
		return n
	}
	if err != nil {
		return 1
	}
	return 0
}

// recorder collects what the translator appends. It implements
// storage.AppenderV2.
type recorder struct {
	content telemetry.Content
	at      int64 // Unix milliseconds
	full    error // no more is taken
}

// Append implements storage.AppenderV2.
func (r *recorder) Append(_ storage.SeriesRef, ls labels.Labels, _, t int64, v float64,
	h *histogram.Histogram, fh *histogram.FloatHistogram, opts storage.AOptions,
) (storage.SeriesRef, error) {
	if h != nil || fh != nil {
		r.content.Skip(telemetry.SkippedHistogram)
		return 0, nil
	}
	if t == 0 {
		t = r.at
	}
	r.full = add(&r.content, &telemetry.Series{
		Labels: seriesLabelsOf(ls), Type: metricTypes[opts.Metadata.Type],
		Help: opts.Metadata.Help, Unit: opts.Metadata.Unit,
		Samples: []telemetry.Sample{{Time: t, Value: v}},
	})
	return 0, r.full
}

// Commit implements storage.AppenderV2.
func (*recorder) Commit() error { return nil }

// Rollback implements storage.AppenderV2.
func (*recorder) Rollback() error { return nil }
