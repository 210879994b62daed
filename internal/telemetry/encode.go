package telemetry

import (
	"encoding/binary"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// Field numbers of io.prometheus.write.v2, Remote-Write 2.0.
const (
	requestSymbols    = 4
	requestTimeseries = 5

	seriesLabelsRefs = 1
	seriesSamples    = 2
	seriesHistograms = 3
	seriesMetadata   = 5

	sampleValue     = 1
	sampleTimestamp = 2

	metadataType    = 1
	metadataHelpRef = 3
	metadataUnitRef = 4
)

// encoder builds a Remote-Write 2.0 request. The buffers are kept between
// requests; it is not safe for concurrent use.
type encoder struct {
	refs    map[string]uint32
	symbols []byte // encoded symbols, in the order of their refs
	series  []byte // encoded time series
	scratch []byte // the series being encoded
	labels  []byte
}

// keptRefs bounds the table that is cleared and used again: to clear one that was
// once large costs more than to make a small one.
const keptRefs = 4096

// encode returns the request for some series; it is valid until the next call.
func (e *encoder) encode(series []Series) []byte {
	if e.refs == nil || len(e.refs) > keptRefs {
		e.refs = map[string]uint32{}
	}
	clear(e.refs)
	e.symbols, e.series = e.symbols[:0], e.series[:0]
	e.ref("") // symbols[0] is the empty string, Remote-Write 2.0 §Symbols
	for i := range series {
		e.add(&series[i])
	}
	e.symbols = append(e.symbols, e.series...)
	return e.symbols
}

func (e *encoder) ref(s string) uint32 {
	if r, ok := e.refs[s]; ok {
		return r
	}
	r := uint32(len(e.refs))
	e.refs[s] = r
	e.symbols = protowire.AppendTag(e.symbols, requestSymbols, protowire.BytesType)
	e.symbols = protowire.AppendString(e.symbols, s)
	return r
}

func (e *encoder) add(s *Series) {
	e.labels = e.labels[:0]
	for _, l := range s.Labels {
		e.labels = binary.AppendUvarint(e.labels, uint64(e.ref(l.Name)))
		e.labels = binary.AppendUvarint(e.labels, uint64(e.ref(l.Value)))
	}
	b := appendBytes(e.scratch[:0], seriesLabelsRefs, e.labels)
	for _, p := range s.Samples {
		b = appendSample(b, p)
	}
	b = e.appendMetadata(b, s)
	e.scratch = b
	e.series = appendBytes(e.series, requestTimeseries, b)
}

// sampleMax is the largest encoding of a sample: two tags, a double, a varint.
const sampleMax = 1 + 8 + 1 + binary.MaxVarintLen64

func appendSample(b []byte, p Sample) []byte {
	var buf [sampleMax]byte
	m := protowire.AppendTag(buf[:0], sampleValue, protowire.Fixed64Type)
	m = protowire.AppendFixed64(m, math.Float64bits(p.Value))
	m = protowire.AppendTag(m, sampleTimestamp, protowire.VarintType)
	m = protowire.AppendVarint(m, uint64(p.Time))
	return appendBytes(b, seriesSamples, m)
}

func (e *encoder) appendMetadata(b []byte, s *Series) []byte {
	e.labels = e.labels[:0]
	e.labels = appendVarint(e.labels, metadataType, uint64(s.Type))
	e.labels = appendVarint(e.labels, metadataHelpRef, uint64(e.ref(s.Help)))
	e.labels = appendVarint(e.labels, metadataUnitRef, uint64(e.ref(s.Unit)))
	return appendBytes(b, seriesMetadata, e.labels)
}

// appendVarint leaves out zero, as proto3 does.
func appendVarint(b []byte, field protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}

func appendBytes(b []byte, field protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), v)
}
