package telemetry

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// layout is what the batches of one origin have in common: everything but the
// samples. It is immutable but for the notes.
type layout struct {
	section string   // the encoded symbols, if they stand before everything else
	symbols []string // substrings of section, where it has them
	series  []known
	repeats bool // another batch can be recognized by its bytes
}

// known is a series of a layout; its labels have been checked.
type known struct {
	frame      string // its encoding without the samples
	split      int    // where in frame the samples stand
	refs       string // packed references of its labels
	help, unit uint32 // symbols
	typ        Type
	note       uint64 // belongs to the visitor
}

// follows tells whether a request has this layout, byte for byte, and leaves its
// samples in found.
func (d *Decoder) follows(l *layout, b []byte) bool {
	n := len(l.section)
	if len(b) < n || string(b[:n]) != l.section {
		return false
	}
	d.found, d.samples = d.found[:0], d.samples[:0]
	b = b[n:]
	for i := range l.series {
		f, rest, err := next(b)
		if err != nil || f.num != requestTimeseries || !d.samplesOf(&l.series[i], f.bytes) {
			return false
		}
		d.found = append(d.found, found{end: len(d.samples)})
		b = rest
	}
	return len(b) == 0
}

// samplesOf reads the samples of a series, if it is the known one.
func (d *Decoder) samplesOf(k *known, b []byte) bool {
	head, tail := k.frame[:k.split], k.frame[k.split:]
	if len(b) < len(k.frame) || string(b[:len(head)]) != head || string(b[len(b)-len(tail):]) != tail {
		return false
	}
	for b = b[len(head) : len(b)-len(tail)]; len(b) > 0; {
		f, rest, err := next(b)
		if err != nil || f.num != seriesSamples || d.sample(f.bytes) != nil {
			return false
		}
		b = rest
	}
	return true
}

// learn makes the layout of a request and leaves its samples in found.
func (d *Decoder) learn(b []byte) (*layout, error) {
	l := &layout{}
	if err := l.readSymbols(b); err != nil {
		return nil, err
	}
	if err := d.scan(b); err != nil {
		return nil, err
	}
	l.repeats = l.section != ""
	l.series = make([]known, len(d.found))
	for i := range d.found {
		f := &d.found[i]
		l.repeats = l.repeats && !f.apart && f.histograms == 0
		if err := l.series[i].learn(f, len(l.symbols)); err != nil {
			return nil, err
		}
		if err := l.labels(l.series[i].refs, &d.run.series); err != nil {
			return nil, err
		}
		if err := d.run.series.validate(); err != nil {
			return nil, err
		}
	}
	return l, nil
}

func (k *known) learn(f *found, symbols int) error {
	if max(f.help, f.unit) >= uint64(symbols) {
		return fmt.Errorf("metadata reference beyond the %d symbols", symbols)
	}
	*k = known{
		frame: string(f.head) + string(f.tail), split: len(f.head),
		refs: string(f.refs), help: uint32(f.help), unit: uint32(f.unit), typ: f.typ,
	}
	return nil
}

// fill gives a series its labels and metadata.
func (l *layout) fill(i int, s *Series) {
	k := &l.series[i]
	s.Type, s.Help, s.Unit = k.typ, l.symbols[k.help], l.symbols[k.unit]
	if err := l.labels(k.refs, s); err != nil {
		panic("telemetry: labels that were good are not: " + err.Error())
	}
}

// labels puts the labels that refs names into s, sorted.
func (l *layout) labels(refs string, s *Series) error {
	s.Labels = s.Labels[:0]
	sorted := true
	for len(refs) > 0 {
		name, n := uvarint(refs)
		value, m := uvarint(refs[n:])
		if n == 0 || m == 0 {
			return errors.New("label references are cut off")
		}
		if max(name, value) >= uint64(len(l.symbols)) {
			return fmt.Errorf("label reference beyond the %d symbols", len(l.symbols))
		}
		s.Labels = append(s.Labels, Label{l.symbols[name], l.symbols[value]})
		if k := len(s.Labels); k > 1 && s.Labels[k-1].Name < s.Labels[k-2].Name {
			sorted = false
		}
		refs = refs[n+m:]
	}
	if !sorted {
		sortLabels(s.Labels)
	}
	return nil
}

// uvarint reads one varint of at most 35 bits; n is zero when there is none.
func uvarint(s string) (v uint64, n int) {
	for i := 0; i < len(s) && i < binary.MaxVarintLen32; i++ {
		v |= uint64(s[i]&0x7f) << (7 * i)
		if s[i] < 0x80 {
			return v, i + 1
		}
	}
	return 0, 0
}
