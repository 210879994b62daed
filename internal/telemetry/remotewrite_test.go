package telemetry_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/snappy"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"

	"thump/internal/bus"
	"thump/internal/telemetry"
)

func label(name, value string) telemetry.Label { return telemetry.Label{Name: name, Value: value} }

// batch has every shape of series that an agent sends.
func batch() *telemetry.Batch {
	return &telemetry.Batch{
		Host: "web01.example.org", Group: "web", Probe: "cpu", Interval: 15 * time.Second,
		Boot: "b00t", Seq: 7, Time: time.UnixMilli(1_789_000_000_123),
		Series: []telemetry.Series{
			{
				Labels: []telemetry.Label{label("__name__", "node_cpu_seconds_total"), label("cpu", "0"), label("instance", "web01.example.org"), label("mode", "idle")},
				Type:   telemetry.Counter, Help: "Seconds the CPUs spent in each mode.", Unit: "seconds",
				Samples: []telemetry.Sample{{Time: 1_789_000_000_123, Value: 12345.67}},
			},
			{
				Labels: []telemetry.Label{label("__name__", "node_load1"), label("instance", "web01.example.org")},
				Type:   telemetry.Gauge, Help: "1m load average.",
				Samples: []telemetry.Sample{{Time: 1_789_000_000_000, Value: 0}, {Time: 1_789_000_001_000, Value: math.Inf(1)}, {Time: -1, Value: -0.5}},
			},
			{
				Labels:  []telemetry.Label{label("__name__", "bare"), label("päth", "/tmp/ä\n")},
				Samples: []telemetry.Sample{{Time: 0, Value: 1}},
			},
			{Labels: []telemetry.Label{label("__name__", "without_samples")}},
		},
	}
}

// decode collects copies of the series of a message.
func decode(m *bus.Message) (all []telemetry.Series, err error) {
	err = telemetry.Decode(m, func(s *telemetry.Series) error {
		all = append(all, clone(s))
		return nil
	})
	return all, err
}

func clone(s *telemetry.Series) telemetry.Series {
	c := *s
	c.Labels, c.Samples = slices.Clone(s.Labels), slices.Clone(s.Samples)
	if len(c.Samples) == 0 {
		c.Samples = nil
	}
	return c
}

func TestRoundTrip(t *testing.T) {
	b := batch()
	m := (&telemetry.Encoder{}).Encode(b)
	got, err := decode(m)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, b.Series) {
		t.Errorf("got  %+v\nwant %+v", got, b.Series)
	}
	if m.Key != "web.web01_example_org.cpu" || m.ID != "b00t-7" || m.Type != telemetry.MetricsType || !m.Time.Equal(b.Time) {
		t.Errorf("message %+v", m)
	}
	want := telemetry.Origin{Host: b.Host, Group: "web", Probe: "cpu", Interval: 15 * time.Second}
	if o := telemetry.OriginOf(m); o != want || o.String() != "web.web01.example.org.cpu" {
		t.Errorf("origin %+v, want %+v", o, want)
	}
}

// TestPrometheusReadsIt decodes our bytes with the code of Prometheus.
func TestPrometheusReadsIt(t *testing.T) {
	b := batch()
	m := (&telemetry.Encoder{}).Encode(b)
	body, err := snappy.Decode(nil, m.Body)
	if err != nil {
		t.Fatal(err)
	}
	var r writev2.Request
	if err := r.Unmarshal(body); err != nil {
		t.Fatal(err)
	}
	if r.Symbols[0] != "" || len(r.Timeseries) != len(b.Series) {
		t.Fatalf("%d series, first symbol %q", len(r.Timeseries), r.Symbols[0])
	}
	for i, ts := range r.Timeseries {
		if got, want := theirs(&r, &ts), b.Series[i]; !reflect.DeepEqual(got, want) {
			t.Errorf("series %d:\ngot  %+v\nwant %+v", i, got, want)
		}
	}
}

// theirs is a series of Prometheus as one of ours.
func theirs(r *writev2.Request, ts *writev2.TimeSeries) (s telemetry.Series) {
	for i := 0; i < len(ts.LabelsRefs); i += 2 {
		s.Labels = append(s.Labels, label(r.Symbols[ts.LabelsRefs[i]], r.Symbols[ts.LabelsRefs[i+1]]))
	}
	for _, p := range ts.Samples {
		s.Samples = append(s.Samples, telemetry.Sample{Time: p.Timestamp, Value: p.Value})
	}
	s.Type = telemetry.Type(ts.Metadata.Type)
	s.Help, s.Unit = r.Symbols[ts.Metadata.HelpRef], r.Symbols[ts.Metadata.UnitRef]
	return s
}

// request is a request of Prometheus: labels in any order, then one sample.
func request(series ...[]string) *writev2.Request {
	r := &writev2.Request{Symbols: []string{""}}
	for _, ls := range series {
		ts := writev2.TimeSeries{Samples: []writev2.Sample{{Timestamp: 5, Value: 6}}}
		for _, s := range ls {
			ts.LabelsRefs = append(ts.LabelsRefs, uint32(len(r.Symbols)))
			r.Symbols = append(r.Symbols, s)
		}
		r.Timeseries = append(r.Timeseries, ts)
	}
	return r
}

func message(r *writev2.Request) *bus.Message {
	body, err := r.Marshal()
	if err != nil {
		panic(err)
	}
	return &bus.Message{ContentType: telemetry.RemoteWriteContentType, Body: body}
}

func TestReadsPrometheus(t *testing.T) {
	got, err := decode(message(request([]string{"zone", "z", "__name__", "m", "a", ""})))
	want := []telemetry.Series{{
		Labels:  []telemetry.Label{label("__name__", "m"), label("a", ""), label("zone", "z")},
		Samples: []telemetry.Sample{{Time: 5, Value: 6}},
	}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestRejected(t *testing.T) {
	change := func(f func(*writev2.Request)) *bus.Message {
		r := request([]string{"__name__", "m"}, []string{"__name__", "n"})
		f(r)
		return message(r)
	}
	long := strings.Repeat("x", telemetry.MaxLabelLength)
	many := []string{"__name__", "m"}
	for i := range telemetry.MaxLabels {
		many = append(many, fmt.Sprint("l", i), "v")
	}
	ok := message(request([]string{"__name__", "m"}))
	with := func(contentType, encoding string, body []byte) *bus.Message {
		return &bus.Message{ContentType: contentType, ContentEncoding: encoding, Body: body}
	}
	for name, m := range map[string]*bus.Message{
		"no metric name":        message(request([]string{"a", "b"})),
		"empty metric name":     message(request([]string{"__name__", ""})),
		"empty label name":      message(request([]string{"__name__", "m", "", "b"})),
		"label twice":           message(request([]string{"__name__", "m", "a", "b", "a", "c"})),
		"label too long":        message(request([]string{"__name__", "m", "a", long})),
		"too many labels":       message(request(many)),
		"not UTF-8":             message(request([]string{"__name__", "m", "a", "\xff"})),
		"second series bad":     message(request([]string{"__name__", "m"}, []string{"a", "b"})),
		"reference too high":    change(func(r *writev2.Request) { r.Timeseries[1].LabelsRefs[1] = 99 }),
		"odd references":        change(func(r *writev2.Request) { r.Timeseries[0].LabelsRefs = []uint32{1, 2, 1} }),
		"metadata too high":     change(func(r *writev2.Request) { r.Timeseries[0].Metadata.HelpRef = 99 }),
		"no symbols":            change(func(r *writev2.Request) { r.Symbols = nil }),
		"cut off":               with(ok.ContentType, "", ok.Body[:len(ok.Body)-3]),
		"remote write 1.0":      with("application/x-protobuf", "", ok.Body),
		"no content type":       with("", "", ok.Body),
		"text":                  with("text/plain", "", []byte("m 1")),
		"snappy that is none":   with(ok.ContentType, "snappy", ok.Body),
		"snappy bomb":           with(ok.ContentType, "snappy", []byte{0xff, 0xff, 0xff, 0xff, 0x0f}),
		"gzip that is none":     with(ok.ContentType, "gzip", ok.Body),
		"gzip bomb":             with(ok.ContentType, "gzip", zipped(make([]byte, telemetry.MaxDecompressed+1))),
		"unknown encoding":      with(ok.ContentType, "br", ok.Body),
		"too many series":       with(ok.ContentType, "", bytes.Repeat([]byte{0x2a, 0}, telemetry.MaxSeries+1)),
		"too many samples":      with(ok.ContentType, "", tooManySamples()),
		"a group, not a string": with(ok.ContentType, "", []byte{0x2b}),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := decode(m)
			if err == nil || len(got) > 0 {
				t.Errorf("%d series visited, err %v; want none and an error", len(got), err)
			}
			unknown := name == "remote write 1.0" || name == "no content type" || name == "text"
			if errors.Is(err, telemetry.ErrContentType) != unknown {
				t.Errorf("err = %v", err)
			}
		})
	}
}

func zipped(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		panic(err)
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return out.Bytes()
}

func tooManySamples() []byte {
	r := request([]string{"__name__", "m"})
	r.Timeseries[0].Samples = make([]writev2.Sample, telemetry.MaxSamples+1)
	return message(r).Body
}

func TestEncodings(t *testing.T) {
	m := message(request([]string{"__name__", "m"}))
	for encoding, body := range map[string][]byte{
		"": m.Body, "identity": m.Body, "gzip": zipped(m.Body), "snappy": snappy.Encode(nil, m.Body),
	} {
		got, err := decode(&bus.Message{ContentType: "Application/X-Protobuf; proto=\"io.prometheus.write.v2.Request\"", ContentEncoding: encoding, Body: body})
		if err != nil || len(got) != 1 {
			t.Errorf("%q: %d series, %v", encoding, len(got), err)
		}
	}
}

// TestUnusualEncoding reads what proto3 allows and nobody writes: symbols behind
// the series, references one by one, the time before the value, unknown fields.
func TestUnusualEncoding(t *testing.T) {
	body := []byte{
		0x22, 0, // symbol ""
		0x2a, 26, // time series
		0x08, 1, 0x08, 2, // two label references, not packed
		0x12, 11, 0x10, 5, 0x09, 0, 0, 0, 0, 0, 0, 0x18, 0x40, // sample: timestamp 5, value 6
		0x0a, 2, 3, 4, // two more, packed
		0x12, 0, // sample: 0 at 0
		0x30, 1, // created timestamp, not used
		0x22, 8, '_', '_', 'n', 'a', 'm', 'e', '_', '_',
		0x22, 1, 'm',
		0x22, 1, 'a',
		0x22, 1, 'b',
		0x78, 1, // unknown field
	}
	body[3] = byte(bytes.Index(body, []byte{0x22, 8}) - 4)
	m := &bus.Message{ContentType: telemetry.RemoteWriteContentType, Body: body, Headers: map[string]string{telemetry.HostHeader: "h"}}
	want := []telemetry.Series{{
		Labels:  []telemetry.Label{label("__name__", "m"), label("a", "b")},
		Samples: []telemetry.Sample{{Time: 5, Value: 6}, {}},
	}}
	d := telemetry.NewDecoder(100)
	for range 2 {
		got, _, err := decodeWith(d, m)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v\nwant %+v", got, err, want)
		}
	}
}

func TestVisitEndsIt(t *testing.T) {
	stop, n := errors.New("stop"), 0
	err := telemetry.Decode((&telemetry.Encoder{}).Encode(batch()), func(*telemetry.Series) error {
		n++
		return stop
	})
	if err != stop || n != 1 {
		t.Errorf("%d visits, %v", n, err)
	}
}

// decodeWith collects the series, and counts each visit in its note.
func decodeWith(d *telemetry.Decoder, m *bus.Message) (all []telemetry.Series, notes []uint64, err error) {
	err = d.Decode(m, func(r *telemetry.Run) error {
		r.Note++
		all, notes = append(all, clone(r.Series())), append(notes, r.Note)
		return nil
	})
	return all, notes, err
}

func TestDecoderRemembers(t *testing.T) {
	d, enc := telemetry.NewDecoder(100), &telemetry.Encoder{}
	b := batch()
	expect := func(what string, want []uint64) {
		t.Helper()
		got, notes, err := decodeWith(d, enc.Encode(b))
		if err != nil || !slices.Equal(notes, want) {
			t.Errorf("%s: notes %v, %v; want %v", what, notes, err, want)
		}
		if !reflect.DeepEqual(got, b.Series) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", what, got, b.Series)
		}
	}
	expect("first", []uint64{1, 1, 1, 1})
	b.Series[0].Samples = []telemetry.Sample{{Time: 1, Value: 2}, {Time: 2, Value: math.NaN()}}
	b.Series[0].Samples = b.Series[0].Samples[:1]
	expect("other samples", []uint64{2, 2, 2, 2})
	b.Probe = "disk"
	expect("another probe", []uint64{1, 1, 1, 1})
	b.Probe = "cpu"
	expect("the first again", []uint64{3, 3, 3, 3})
	b.Series[1].Labels[1].Value = "web02"
	expect("another label", []uint64{1, 1, 1, 1})
	b.Series[1].Labels[1].Value = "web01.example.org"
	expect("back", []uint64{1, 1, 1, 1})
	b.Series[2].Help = "new"
	expect("another help", []uint64{1, 1, 1, 1})
	b.Series = b.Series[:3]
	expect("one less", []uint64{1, 1, 1})
	b.Series[2], b.Series[1] = b.Series[1], b.Series[2]
	expect("another order", []uint64{1, 1, 1})
	if got := d.Remembered(); got != 7 {
		t.Errorf("%d series remembered, want 7", got)
	}
}

func TestDecoderForgets(t *testing.T) {
	d, enc := telemetry.NewDecoder(10), &telemetry.Encoder{}
	for i := range 20 {
		b := batch()
		b.Host = fmt.Sprint("host", i)
		if _, _, err := decodeWith(d, enc.Encode(b)); err != nil {
			t.Fatal(err)
		}
		if n := d.Remembered(); n != min(4*(i+1), 8) {
			t.Errorf("%d series remembered after %d hosts", n, i+1)
		}
	}
	if _, _, err := decodeWith(d, message(request([]string{"__name__", "m"}))); err != nil || d.Remembered() != 8 {
		t.Errorf("%d series remembered after a message without a host, %v", d.Remembered(), err)
	}
}

// TestDecoderAfterRejection: a message that is rejected leaves nothing behind.
func TestDecoderAfterRejection(t *testing.T) {
	d := telemetry.NewDecoder(100)
	good := (&telemetry.Encoder{}).Encode(batch())
	want, _, err := decodeWith(d, good)
	if err != nil {
		t.Fatal(err)
	}
	bad := *good
	bad.Body = append(slices.Clone(good.Body), 'x')
	if _, _, err := decodeWith(d, &bad); err == nil {
		t.Error("trailing byte is taken")
	}
	got, notes, err := decodeWith(d, good)
	if err != nil || !reflect.DeepEqual(got, want) || notes[0] != 2 {
		t.Errorf("got %+v, notes %v, %v", got, notes, err)
	}
}

func FuzzDecode(f *testing.F) {
	enc := &telemetry.Encoder{}
	ours, err := snappy.Decode(nil, enc.Encode(batch()).Body)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(true, ours, ours)
	f.Add(true, message(request([]string{"__name__", "m"}, []string{"b", "c", "__name__", "n"})).Body, ours)
	f.Add(false, []byte(`[{"name":"m","labels":{"a":"b"},"value":"NaN","timestamp":1789000000.5}]`), []byte(`{"name":"m","value":1}`))
	f.Fuzz(func(t *testing.T, protobuf bool, first, second []byte) {
		m := &bus.Message{ContentType: telemetry.JSONContentType, Time: time.UnixMilli(7), Headers: map[string]string{telemetry.HostHeader: "h"}}
		if protobuf {
			m.ContentType = telemetry.RemoteWriteContentType
		}
		// A decoder that has seen one message reads the next as a new one does.
		d := telemetry.NewDecoder(1000)
		for _, m.Body = range [][]byte{first, second, second, first} {
			want, wantErr := decode(m)
			got, _, err := decodeWith(d, m)
			if (err == nil) != (wantErr == nil) || fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("remembering decoder: %v, %v\nnew one: %v, %v", got, err, want, wantErr)
			}
			for _, s := range want {
				checkSeries(t, &s)
			}
		}
	})
}

// checkSeries says what every visitor may rely on.
func checkSeries(t *testing.T, s *telemetry.Series) {
	names := map[string]bool{}
	for _, l := range s.Labels {
		names[l.Name] = true
	}
	sorted := slices.IsSortedFunc(s.Labels, func(a, b telemetry.Label) int { return strings.Compare(a.Name, b.Name) })
	if !sorted || len(names) != len(s.Labels) || names[""] || s.Name() == "" || len(s.Labels) > telemetry.MaxLabels {
		t.Fatalf("labels %v of %v", s.Labels, slices.Sorted(maps.Keys(names)))
	}
}

func BenchmarkDecode(b *testing.B) {
	x := batch()
	for i := range 500 {
		s := x.Series[0]
		s.Labels = slices.Clone(s.Labels)
		s.Labels[1].Value = fmt.Sprint(i)
		x.Series = append(x.Series, s)
	}
	m := (&telemetry.Encoder{}).Encode(x)
	d := telemetry.NewDecoder(1000)
	b.ReportAllocs()
	for b.Loop() {
		if err := d.Decode(m, func(*telemetry.Run) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(x.Series)), "ns/series")
}
