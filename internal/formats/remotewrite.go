package formats

import (
	"fmt"
	"math"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"thump/internal/bus"
	"thump/internal/telemetry"
)

// RemoteWrite1 is Remote-Write 1.0: the message prometheus.WriteRequest.
type RemoteWrite1 struct{}

// Takes implements telemetry.Format. Remote-Write 1.0 §Protocol: no parameter
// means the first version.
func (RemoteWrite1) Takes(_ *bus.Message, media string, params map[string]string) bool {
	proto := params["proto"]
	return media == "application/x-protobuf" && (proto == "" || proto == "prometheus.WriteRequest")
}

// Field numbers of prometheus.WriteRequest.
const (
	requestTimeseries = 1

	seriesLabels     = 1
	seriesSamples    = 2
	seriesHistograms = 4

	labelName  = 1
	labelValue = 2

	sampleValue     = 1
	sampleTimestamp = 2
)

// Read implements telemetry.Format. Metadata and exemplars are left out.
func (RemoteWrite1) Read(body []byte, _ time.Time) (*telemetry.Content, error) {
	r := request{text: string(body)}
	err := fields(body, 0, func(f *field) error {
		if f.num != requestTimeseries {
			return nil
		}
		return r.timeseries(f)
	})
	if err != nil {
		return nil, fmt.Errorf("decode remote write 1.0: %w", err)
	}
	return &r.content, nil
}

// request is what is read of one. Names and values of labels are parts of text,
// and labels and samples of all series lie in a few large pieces of memory.
type request struct {
	text    string
	content telemetry.Content
	labels  []telemetry.Label
	samples []telemetry.Sample
	taken   int // samples so far
}

func (r *request) timeseries(s *field) error {
	labels, samples := len(r.labels), len(r.samples)
	err := fields(s.bytes, s.at, func(f *field) error {
		switch f.num {
		case seriesLabels:
			return r.label(f, len(r.labels)-labels)
		case seriesSamples:
			return r.sample(f)
		case seriesHistograms:
			r.content.Skip(telemetry.SkippedHistogram)
		}
		return nil
	})
	if err != nil || len(r.samples) == samples {
		return err
	}
	return add(&r.content, &telemetry.Series{
		Labels:  r.labels[labels:len(r.labels):len(r.labels)],
		Samples: r.samples[samples:len(r.samples):len(r.samples)],
	})
}

func (r *request) label(l *field, before int) error {
	if before == telemetry.MaxLabels {
		return fmt.Errorf("series with more than %d labels", telemetry.MaxLabels)
	}
	var label telemetry.Label
	err := fields(l.bytes, l.at, func(f *field) error {
		switch f.num {
		case labelName:
			label.Name = r.text[f.at : f.at+len(f.bytes)]
		case labelValue:
			label.Value = r.text[f.at : f.at+len(f.bytes)]
		}
		return nil
	})
	r.labels = append(r.labels, label)
	return err
}

func (r *request) sample(s *field) error {
	if r.taken == telemetry.MaxSamples {
		return fmt.Errorf("more than %d samples", telemetry.MaxSamples)
	}
	r.taken++
	var p telemetry.Sample
	err := fields(s.bytes, s.at, func(f *field) error {
		switch f.num {
		case sampleValue:
			p.Value = math.Float64frombits(f.n)
		case sampleTimestamp:
			p.Time = int64(f.n)
		}
		return nil
	})
	r.samples = append(r.samples, p)
	return err
}

// field is one field of a protobuf message: bytes is the content of a
// length-delimited one and at where in the body it stands, n the number of any
// other.
type field struct {
	num   protowire.Number
	bytes []byte
	at    int
	n     uint64
}

// fields visits the fields of a message that stands at a place in the body.
func fields(b []byte, at int, visit func(*field) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b, at = b[n:], at+n
		f := field{num: num}
		switch typ {
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(b)
			f.at = at + n - len(f.bytes)
		case protowire.VarintType:
			f.n, n = protowire.ConsumeVarint(b)
		case protowire.Fixed64Type:
			f.n, n = protowire.ConsumeFixed64(b)
		default:
			n = protowire.ConsumeFieldValue(num, typ, b)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		if err := visit(&f); err != nil {
			return err
		}
		b, at = b[n:], at+n
	}
	return nil
}
