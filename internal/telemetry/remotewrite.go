package telemetry

import (
	"encoding/binary"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// found is a series of the message being decoded.
type found struct {
	head, tail []byte // its encoding before the samples and behind them
	apart      bool   // the samples do not stand in one run
	refs       []byte // packed references of its labels
	typ        Type
	help, unit uint64
	end        int // of its samples among the decoder's
	histograms int // native ones, which are skipped
}

// scan reads the series of a request.
func (d *Decoder) scan(b []byte) error {
	d.found, d.samples = d.found[:0], d.samples[:0]
	for len(b) > 0 {
		f, rest, err := next(b)
		if err != nil {
			return err
		}
		if f.num == requestTimeseries {
			if err := d.timeseries(f.bytes); err != nil {
				return err
			}
		}
		b = rest
	}
	return nil
}

func (d *Decoder) timeseries(b []byte) error {
	if len(d.found) == MaxSeries {
		return fmt.Errorf("more than %d series", MaxSeries)
	}
	first := len(d.samples)
	s := found{head: b}
	for rest := b; len(rest) > 0; {
		f, behind, err := next(rest)
		if err != nil {
			return err
		}
		if f.num == seriesSamples {
			if len(d.samples) == first {
				s.head = b[:len(b)-len(rest)]
			} else if len(s.tail) != len(rest) {
				s.apart = true
			}
			s.tail = behind
			err = d.sample(f.bytes)
		} else {
			err = s.field(&f)
		}
		if err != nil {
			return err
		}
		rest = behind
	}
	s.end = len(d.samples)
	if s.histograms > 0 {
		d.skipped[SkippedHistogram] += s.histograms
	}
	d.found = append(d.found, s)
	return nil
}

// field takes one field of a series other than a sample.
func (s *found) field(f *field) error {
	switch f.num {
	case seriesLabelsRefs:
		s.addRefs(f)
	case seriesHistograms:
		s.histograms++
	case seriesMetadata:
		return s.metadata(f.bytes)
	}
	return nil
}

// addRefs takes packed references, or a single one: proto3 allows both, and
// several runs.
func (s *found) addRefs(f *field) {
	switch {
	case f.typ == protowire.VarintType:
		s.refs = protowire.AppendVarint(s.refs[:len(s.refs):len(s.refs)], f.n)
	case s.refs == nil:
		s.refs = f.bytes
	default:
		s.refs = append(s.refs[:len(s.refs):len(s.refs)], f.bytes...)
	}
}

func (s *found) metadata(b []byte) error {
	for len(b) > 0 {
		f, rest, err := next(b)
		if err != nil {
			return err
		}
		switch {
		case f.num == metadataType && f.n <= uint64(StateSet):
			s.typ = Type(f.n)
		case f.num == metadataHelpRef:
			s.help = f.n
		case f.num == metadataUnitRef:
			s.unit = f.n
		}
		b = rest
	}
	return nil
}

func (d *Decoder) sample(b []byte) error {
	p, ok := usualSample(b)
	for !ok && len(b) > 0 {
		f, rest, err := next(b)
		if err != nil {
			return err
		}
		switch f.num {
		case sampleValue:
			p.Value = math.Float64frombits(f.n)
		case sampleTimestamp:
			p.Time = int64(f.n)
		}
		b = rest
	}
	if len(d.samples) == MaxSamples {
		return fmt.Errorf("more than %d samples", MaxSamples)
	}
	d.samples = append(d.samples, p)
	return nil
}

// usualSample reads a sample that is a value and a time, in this order, which is
// how everybody writes it; ok is false for any other.
func usualSample(b []byte) (p Sample, ok bool) {
	const value, timestamp = sampleValue<<3 | byte(protowire.Fixed64Type), sampleTimestamp<<3 | byte(protowire.VarintType)
	if len(b) < 11 || b[0] != value || b[9] != timestamp {
		return p, false
	}
	t, n := protowire.ConsumeVarint(b[10:])
	if n != len(b)-10 {
		return p, false
	}
	return Sample{Time: int64(t), Value: math.Float64frombits(binary.LittleEndian.Uint64(b[1:]))}, true
}
