package formats_test

import (
	"fmt"
	"maps"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/prompb"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"

	"thump/internal/bus"
	"thump/internal/formats"
	"thump/internal/telemetry"
)

var at = time.UnixMilli(1_790_000_000_000)

// TestDecoder takes each format by the message's properties, as a subscriber does.
func TestDecoder(t *testing.T) {
	for _, c := range []struct {
		name    string
		message bus.Message
		want    string // series and samples
		skipped map[string]int
	}{
		{
			"remote write 1.0", bus.Message{ContentType: "application/x-protobuf", Body: writeRequest(t)},
			`http_requests_total{code="200",job="api"} 5@1000 6@2000`,
			map[string]int{telemetry.SkippedHistogram: 1, "labels": 1},
		},
		{
			"remote write 1.0 by name", bus.Message{ContentType: "application/x-protobuf;proto=prometheus.WriteRequest", Body: writeRequest(t)},
			`http_requests_total{code="200",job="api"} 5@1000 6@2000`,
			map[string]int{telemetry.SkippedHistogram: 1, "labels": 1},
		},
		{
			"Telegraf", bus.Message{ContentType: "text/plain", Body: []byte("cpu,cpu=cpu0,host=web\\ 1 usage_idle=98.5,n=3i,u=4u,up=true,name=\"x\" 1790000001500000000\n")},
			`cpu_usage_idle{cpu="cpu0",host="web 1"} 98.5@1790000001500
cpu_n{cpu="cpu0",host="web 1"} 3@1790000001500
cpu_u{cpu="cpu0",host="web 1"} 4@1790000001500
cpu_up{cpu="cpu0",host="web 1"} 1@1790000001500`,
			map[string]int{"string_field": 1},
		},
		{
			"Influx names that PromQL does not take", bus.Message{ContentType: "application/vnd.influx.lineprotocol", Body: []byte("win.cpu,a-b=c,empty-after=x 9lives=9")},
			`win_cpu_9lives{a_b="c",empty_after="x"} 9@1790000000000`, nil,
		},
		{
			"Influx with lines that are not well formed", bus.Message{ContentType: "text/plain", Body: []byte("m f=1 1000000\nthis is not one\nm f=2 2000000\nm f=\n")},
			"m_f{} 1@1\nm_f{} 2@2", map[string]int{"malformed_line": 2},
		},
		{
			"Prometheus text", bus.Message{ContentType: "text/plain; version=0.0.4", Body: []byte(histogramText)},
			histogramSeries, nil,
		},
		{
			"Prometheus text from Telegraf", bus.Message{ContentType: "text/plain", Body: []byte(histogramText)},
			histogramSeries, nil,
		},
		{
			"OpenMetrics", bus.Message{ContentType: "application/openmetrics-text; version=1.0.0; charset=utf-8", Body: []byte("# TYPE jobs counter\n# UNIT jobs \njobs_total{q=\"a\"} 7 1790000002.5\n# EOF\n")},
			`jobs_total{q="a"} 7@1790000002500`, nil,
		},
		{
			"OTLP by its content type", bus.Message{ContentType: "application/x-protobuf;proto=opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest", Body: exportRequest(t)},
			exportSeries, map[string]int{telemetry.SkippedHistogram: 1, "delta_temporality": 2},
		},
		{
			"OTLP by its key", bus.Message{Key: "otlp_metrics", Body: exportRequest(t)},
			exportSeries, map[string]int{telemetry.SkippedHistogram: 1, "delta_temporality": 2},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.message.Time = at
			d := telemetry.NewDecoder(100, formats.All()...)
			for range 2 { // the second time nothing is left of the first
				got, err := decode(d, &c.message)
				if err != nil {
					t.Fatal(err)
				}
				if got != c.want {
					t.Errorf("got\n%s\nwant\n%s", got, c.want)
				}
				if !maps.Equal(d.Skipped(), c.skipped) {
					t.Errorf("skipped %v, want %v", d.Skipped(), c.skipped)
				}
			}
		})
	}
}

func TestMalformed(t *testing.T) {
	long := strings.Repeat("x", telemetry.MaxLabelLength)
	for name, m := range map[string]bus.Message{
		"remote write cut off":                  {ContentType: "application/x-protobuf", Body: writeRequest(t)[:9]},
		"no line of Influx":                     {ContentType: "text/plain", Body: []byte("not a line at all")},
		"text":                                  {ContentType: "text/plain; version=0.0.4", Body: []byte("a b c")},
		"OpenMetrics without end":               {ContentType: "application/openmetrics-text", Body: []byte("a{")},
		"OTLP":                                  {Key: "otlp_metrics", Body: []byte{1, 2, 3}},
		"OTLP of too many bytes":                {Key: "otlp_metrics", Body: make([]byte, formats.MaxOTLP+1)},
		"a type of ours only":                   {ContentType: "application/vnd.thump"},
		"more series than one message may have": {ContentType: "text/plain; version=0.0.4", Body: []byte(strings.Repeat("a 1\n", telemetry.MaxSeries+1))},
	} {
		if got, err := decode(telemetry.NewDecoder(0, formats.All()...), &m); err == nil {
			t.Errorf("%s: no error, got %.100s", name, got)
		}
	}
	m := bus.Message{ContentType: "text/plain", Body: []byte("m,a=" + long + " f=1\nm f=2 1000000")}
	if got, err := decode(telemetry.NewDecoder(0, formats.All()...), &m); err != nil || got != "m_f{} 2@1" {
		t.Errorf("a label that is too long: got %q, %v; want the other series", got, err)
	}
}

// TestMetadata: types and help arrive where a format has them.
func TestMetadata(t *testing.T) {
	content, err := formats.Text{}.Read([]byte(histogramText), at)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range content.Series {
		want := telemetry.Histogram
		if s.Name() == "other" {
			want = telemetry.Unspecified
		}
		if s.Type != want {
			t.Errorf("%s has type %d, want %d", s.Name(), s.Type, want)
		}
	}
}

const histogramText = `# HELP latency How long.
# TYPE latency histogram
latency_bucket{le="0.5"} 1
latency_bucket{le="+Inf"} 2
latency_sum 1.5
latency_count 2
other NaN 1790000003000
`

const histogramSeries = `latency_bucket{le="0.5"} 1@1790000000000
latency_bucket{le="+Inf"} 2@1790000000000
latency_sum{} 1.5@1790000000000
latency_count{} 2@1790000000000
other{} NaN@1790000003000`

const exportSeries = `system_cpu_time_seconds_total{cpu="0",host_name="web01",instance="i-1",job="shop/api"} 12@1790000004000
latency_seconds_sum{host_name="web01",instance="i-1",job="shop/api"} 0.7@1790000004000
latency_seconds_count{host_name="web01",instance="i-1",job="shop/api"} 3@1790000004000
latency_seconds_bucket{host_name="web01",instance="i-1",job="shop/api",le="0.1"} 2@1790000004000
latency_seconds_bucket{host_name="web01",instance="i-1",job="shop/api",le="+Inf"} 3@1790000004000
target_info{host_name="web01",instance="i-1",job="shop/api"} 1@1790000004000`

func decode(d *telemetry.Decoder, m *bus.Message) (string, error) {
	var lines []string
	err := d.Decode(m, func(r *telemetry.Run) error {
		s := r.Series()
		var labels []string
		for _, l := range s.Labels {
			if l.Name != telemetry.NameLabel {
				labels = append(labels, fmt.Sprintf("%s=%q", l.Name, l.Value))
			}
		}
		line := s.Name() + "{" + strings.Join(labels, ",") + "}"
		for _, p := range r.Samples {
			line += fmt.Sprintf(" %v@%d", p.Value, p.Time)
		}
		lines = append(lines, line)
		return nil
	})
	return strings.Join(lines, "\n"), err
}

// writeRequest is a Remote-Write 1.0 request as Prometheus' own code encodes it.
func writeRequest(t testing.TB) []byte {
	t.Helper()
	r := prompb.WriteRequest{Timeseries: []prompb.TimeSeries{
		{
			Labels: []prompb.Label{
				{Name: "job", Value: "api"}, {Name: "__name__", Value: "http_requests_total"}, {Name: "code", Value: "200"}, {Name: "none"},
			},
			Samples:   []prompb.Sample{{Value: 5, Timestamp: 1000}, {Value: 6, Timestamp: 2000}},
			Exemplars: []prompb.Exemplar{{Value: 1}},
		},
		{Labels: []prompb.Label{{Name: "__name__", Value: "native"}}, Histograms: []prompb.Histogram{{Sum: 1}}},
		{Labels: []prompb.Label{{Name: "nameless", Value: "x"}}, Samples: []prompb.Sample{{Value: math.Inf(1), Timestamp: 1}}},
	}, Metadata: []prompb.MetricMetadata{{MetricFamilyName: "http_requests", Help: "Requests."}}}
	b, err := r.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// exportRequest is what an OpenTelemetry collector exports.
func exportRequest(t testing.TB) []byte {
	t.Helper()
	md := pmetric.NewMetrics()
	r := md.ResourceMetrics().AppendEmpty()
	for k, v := range map[string]string{"service.name": "api", "service.namespace": "shop", "service.instance.id": "i-1", "host.name": "web01"} {
		r.Resource().Attributes().PutStr(k, v)
	}
	metrics := r.ScopeMetrics().AppendEmpty().Metrics()
	time := pcommon.NewTimestampFromTime(time.UnixMilli(1_790_000_004_000))

	cpu := metrics.AppendEmpty()
	cpu.SetName("system.cpu.time")
	cpu.SetUnit("s")
	sum := cpu.SetEmptySum()
	sum.SetIsMonotonic(true)
	sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	point := sum.DataPoints().AppendEmpty()
	point.SetTimestamp(time)
	point.SetDoubleValue(12)
	point.Attributes().PutStr("cpu", "0")

	delta := metrics.AppendEmpty()
	delta.SetName("deltas")
	sum = delta.SetEmptySum()
	sum.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	sum.DataPoints().AppendEmpty()
	sum.DataPoints().AppendEmpty()

	latency := metrics.AppendEmpty()
	latency.SetName("latency")
	latency.SetUnit("s")
	h := latency.SetEmptyHistogram()
	h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	hp := h.DataPoints().AppendEmpty()
	hp.SetTimestamp(time)
	hp.SetCount(3)
	hp.SetSum(0.7)
	hp.ExplicitBounds().FromRaw([]float64{0.1})
	hp.BucketCounts().FromRaw([]uint64{2, 1})

	native := metrics.AppendEmpty()
	native.SetName("native")
	e := native.SetEmptyExponentialHistogram()
	e.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	e.DataPoints().AppendEmpty().SetTimestamp(time)

	b, err := pmetricotlp.NewExportRequestFromMetrics(md).MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	return b
}
