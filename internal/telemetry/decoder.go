package telemetry

import (
	"fmt"
	"maps"
	"mime"

	"thump/internal/bus"
)

// Decoder decodes like Decode, and remembers for each host and probe the series
// that it sent: they are the same time after time, so that labels are read once
// and a visitor may note what it knows of a series. It is not safe for
// concurrent use.
type Decoder struct {
	limit   int // series remembered at most; others are forgotten for new ones
	formats []Format
	count   int // series in layouts
	layouts map[origin]*layout

	// Of the message being decoded; the memory is used again.
	body    []byte
	found   []found
	samples []Sample
	run     Run
	skipped map[string]int
}

// origin is the key of what is remembered.
type origin struct{ host, group, probe string }

// Run is some samples of one series. It is valid only while it is visited.
type Run struct {
	Samples []Sample
	// Note is a number that belongs to the visitor: zero at first, and kept for as
	// long as the decoder remembers the series.
	Note uint64

	series Series
	layout *layout // nil if series has its labels already
	index  int     // in the layout
}

// Series returns the samples with their labels and metadata. Its slices are valid
// only during the visit, its strings stay valid.
func (r *Run) Series() *Series {
	if r.layout != nil {
		r.layout.fill(r.index, &r.series)
	}
	r.series.Samples = r.Samples
	return &r.series
}

// NewDecoder returns a decoder that remembers at most limit series. It reads the
// formats given besides Remote-Write 2.0 and JSON.
func NewDecoder(limit int, formats ...Format) *Decoder {
	return &Decoder{limit: limit, formats: formats, layouts: map[origin]*layout{}, skipped: map[string]int{}}
}

// Remembered is how many series the decoder remembers.
func (d *Decoder) Remembered() int { return d.count }

// Skipped counts by reason the samples of the message last decoded that cannot
// be represented. It is valid until the next message.
func (d *Decoder) Skipped() map[string]int { return d.skipped }

// Decode calls visit for each series of a message, once all of it is found to
// be well formed. An error of visit ends it and is returned as it is.
func (d *Decoder) Decode(m *bus.Message, visit func(*Run) error) error {
	clear(d.skipped)
	decode, err := d.format(m)
	if err != nil {
		return err
	}
	body, err := decompress(m.ContentEncoding, d.body, m.Body)
	if err != nil {
		return err
	}
	if m.ContentEncoding == "snappy" {
		d.body = body
	}
	return decode(m, body, visit)
}

type read func(m *bus.Message, body []byte, visit func(*Run) error) error

// format chooses by the content type.
func (d *Decoder) format(m *bus.Message) (read, error) {
	if m.ContentType == RemoteWriteContentType {
		return d.remoteWrite, nil
	}
	media, params, err := mime.ParseMediaType(m.ContentType)
	if err != nil {
		media, params = "", nil
	}
	switch {
	case media == "application/x-protobuf" && params["proto"] == "io.prometheus.write.v2.Request":
		return d.remoteWrite, nil
	case media == JSONContentType:
		return d.json, nil
	}
	for _, f := range d.formats {
		if f.Takes(m, media, params) {
			return d.other(f), nil
		}
	}
	return nil, fmt.Errorf("%w %q", ErrContentType, m.ContentType)
}

// other visits what another format reads; nothing of it is remembered.
func (d *Decoder) other(f Format) read {
	return func(m *bus.Message, body []byte, visit func(*Run) error) error {
		content, err := f.Read(body, arrival(m))
		if err != nil {
			return err
		}
		maps.Copy(d.skipped, content.Skipped)
		for _, s := range content.Series {
			if err := visit(&Run{Samples: s.Samples, series: s}); err != nil {
				return err
			}
		}
		return nil
	}
}

// json visits JSON metrics; nothing of them is remembered.
func (d *Decoder) json(m *bus.Message, body []byte, visit func(*Run) error) error {
	return decodeJSON(body, arrival(m), func(s *Series) error {
		return visit(&Run{Samples: s.Samples, series: *s})
	})
}

// remoteWrite visits the series of a Remote-Write 2.0 request.
func (d *Decoder) remoteWrite(m *bus.Message, b []byte, visit func(*Run) error) error {
	from := origin{m.Headers[HostHeader], m.Headers[GroupHeader], m.Headers[ProbeHeader]}
	l := d.layouts[from]
	if l == nil || !d.follows(l, b) {
		var err error
		if l, err = d.learn(b); err != nil {
			return fmt.Errorf("decode remote write: %w", err)
		}
		d.remember(from, l)
	}
	start := 0
	for i := range d.found {
		r := &d.run
		r.Samples, r.Note, r.layout, r.index = d.samples[start:d.found[i].end], l.series[i].note, l, i
		start = d.found[i].end
		err := visit(r)
		l.series[i].note = r.Note
		if err != nil {
			return err
		}
	}
	return nil
}

// remember keeps a layout as the one of its origin. For room, it forgets any
// others.
func (d *Decoder) remember(from origin, l *layout) {
	d.forget(from)
	if from.host == "" || !l.repeats || len(l.series) > d.limit {
		return
	}
	for other := range d.layouts {
		if d.count+len(l.series) <= d.limit {
			break
		}
		d.forget(other)
	}
	d.layouts[from] = l
	d.count += len(l.series)
}

func (d *Decoder) forget(from origin) {
	if l := d.layouts[from]; l != nil {
		d.count -= len(l.series)
		delete(d.layouts, from)
	}
}
