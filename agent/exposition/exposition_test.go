package exposition

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"thump/internal/telemetry"
)

const example = `# HELP http_requests_total The total number of HTTP requests.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
http_requests_total{method="post",code="400"}    3 1395066363000

# Escaping in label values:
msdos_file_access_time_seconds{path="C:\\DIR\\FILE.TXT",error="Cannot find file:\n\"FILE.TXT\""} 1.458255915e9
metric_without_timestamp_and_labels 12.47
something_weird{problem="division by zero"} +Inf -3982045
# TYPE rpc_duration_seconds summary
rpc_duration_seconds{quantile="0.5"} 4773
rpc_duration_seconds_sum 1.7560473e+07
rpc_duration_seconds_count 2693
# TYPE latency histogram
latency_bucket{le="0.1", } 8
latency_bucket{le="+Inf"} 9
latency_sum 1.5
latency_count 9
`

func TestOpenMetrics(t *testing.T) {
	const text = "# TYPE foo counter\n# UNIT foo seconds\n# HELP foo A \\\"help\\\"\nfoo_total{a=\"b\"} 17.0 1520879607.789 # {trace_id=\"x y\"} 0.67\nfoo_created 1\n{\"utf8.name\",\"a.b\"=\"c\"} NaN\n# EOF\n"
	var got []string
	err := Read(text, func(s *Sample) {
		got = append(got, fmt.Sprintf("%s %v %v %d %q", s.Name, s.Labels, s.Value, s.Type, s.Help))
	})
	want := []string{
		fmt.Sprintf("foo_total [{a b}] 17 %d %q", telemetry.Counter, `A "help"`),
		fmt.Sprintf("foo_created [] 1 %d %q", telemetry.Counter, `A "help"`),
		`utf8.name [{a.b c}] NaN 0 ""`,
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("error %v, got %q, want %q", err, got, want)
	}
}

func TestMalformed(t *testing.T) {
	for _, text := range []string{
		"a", "a{", "a{b=\"c\"", "a{b=\"c} 1", "a{b=c} 1", "a{b} 1", "a{\"b\"} 1", "a{b=\"c\" d=\"e\"} 1", "a 1x", "a 1 2 3", "a 1 x",
		"1a 1", "a-b 1", "{} 1", "a{b=\"c\",b=\"d\"} 1", "a{1b=\"c\"} 1", "a 0x10", "a 1_0", "a{,} 1",
	} {
		n := 0
		if err := Read("ok 1\n"+text+"\nlater 2\n", func(*Sample) { n++ }); err == nil || !strings.HasPrefix(err.Error(), "line 2: ") || n != 1 {
			t.Errorf("%q: error %v after %d samples", text, err, n)
		}
	}
}

// theirs reads a text with Prometheus's own parser.
func theirs(text string) (map[string]float64, error) {
	p := expfmt.NewTextParser(model.UTF8Validation)
	families, err := p.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	all := map[string]float64{}
	for name, f := range families {
		for _, m := range f.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			flatten(all, name, labels, f.GetType(), m)
		}
	}
	return all, nil
}

func flatten(all map[string]float64, name string, labels map[string]string, kind dto.MetricType, m *dto.Metric) {
	part := func(suffix, label string, at, v float64) {
		with := maps.Clone(labels)
		if label != "" {
			with[label] = fmt.Sprint(at)
			if math.IsInf(at, 1) {
				with[label] = "+Inf"
			}
		}
		all[key(name+suffix, with)] = v
	}
	switch kind {
	case dto.MetricType_SUMMARY:
		for _, q := range m.GetSummary().GetQuantile() {
			part("", "quantile", q.GetQuantile(), q.GetValue())
		}
		part("_sum", "", 0, m.GetSummary().GetSampleSum())
		part("_count", "", 0, float64(m.GetSummary().GetSampleCount()))
	case dto.MetricType_HISTOGRAM:
		for _, b := range m.GetHistogram().GetBucket() {
			part("_bucket", "le", b.GetUpperBound(), float64(b.GetCumulativeCount()))
		}
		part("_sum", "", 0, m.GetHistogram().GetSampleSum())
		part("_count", "", 0, float64(m.GetHistogram().GetSampleCount()))
	default:
		part("", "", 0, m.GetGauge().GetValue()+m.GetCounter().GetValue()+m.GetUntyped().GetValue())
	}
}

func key(name string, labels map[string]string) string {
	k := name
	for _, l := range slices.Sorted(maps.Keys(labels)) {
		k += fmt.Sprintf(" %s=%q", l, labels[l])
	}
	return k
}

func ours(text string) (map[string]float64, error) {
	all := map[string]float64{}
	err := Read(text, func(s *Sample) {
		labels := map[string]string{}
		for _, l := range s.Labels {
			labels[l.Name] = l.Value
		}
		all[key(s.Name, labels)] = s.Value
	})
	return all, err
}

func same(a, b map[string]float64) bool {
	return maps.EqualFunc(a, b, func(x, y float64) bool { return x == y || math.IsNaN(x) && math.IsNaN(y) })
}

// TestAgainstExpfmt: Prometheus's own parser reads the same.
func TestAgainstExpfmt(t *testing.T) {
	want, err := theirs(example)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ours(example)
	if err != nil || !same(got, want) || len(got) != 12 {
		t.Errorf("error %v, got %v, want %v", err, got, want)
	}
}

// FuzzRead compares with Prometheus's parser, where that one reads the text and
// has no types to make sense of.
func FuzzRead(f *testing.F) {
	f.Add(example)
	f.Add("a{b=\"c\\\\\\n\"} NaN\nx 1e3 5\n")
	f.Add("{\"a b\", c=\"d\"} -Inf\n")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ours(text)
		if strings.Contains(text, "#") || strings.ContainsAny(text, "\r\\") {
			return // comments and escapes that are none are read in more than one way
		}
		want, theirErr := theirs(text + "\n")
		if err != nil || theirErr != nil {
			return
		}
		for k, v := range want {
			if g, found := got[k]; !found || g != v && !math.IsNaN(v) {
				t.Errorf("%q: %s = %v (%v), want %v", text, k, g, found, v)
			}
		}
	})
}
