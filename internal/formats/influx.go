package formats

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/influxdata/line-protocol/v2/lineprotocol"

	"thump/internal/bus"
	"thump/internal/telemetry"
)

// Influx is the line protocol of InfluxDB and Telegraf. A field becomes the
// metric <measurement>_<field> with the tags as labels, as in VictoriaMetrics;
// characters that PromQL does not take in a name become underscores, as in
// Telegraf's own Prometheus output.
type Influx struct {
	// Precision is the unit of timestamps; the zero value is nanoseconds.
	Precision lineprotocol.Precision
}

// Takes implements telemetry.Format. Telegraf says text/plain whatever it sends.
func (Influx) Takes(_ *bus.Message, media string, _ map[string]string) bool {
	return media == "text/plain" || strings.HasPrefix(media, "application/vnd.influx")
}

// Read implements telemetry.Format. A line that is not well formed is skipped;
// if none is, that is an error. text/plain may also be the Prometheus text format,
// in which it is read if a comment says so.
func (i Influx) Read(body []byte, at time.Time) (*telemetry.Content, error) {
	if exposition(body) {
		return Text{}.Read(body, at)
	}
	c := &telemetry.Content{}
	dec := lineprotocol.NewDecoderWithBytes(body)
	var malformed error
	for dec.Next() {
		err := i.line(dec, at, c)
		var syntax *lineprotocol.DecodeError
		switch {
		case errors.As(err, &syntax):
			malformed = err
			c.Skip(SkippedLine)
		case err != nil:
			return nil, fmt.Errorf("decode Influx lines: %w", err)
		}
	}
	if len(c.Series) == 0 && malformed != nil {
		return nil, fmt.Errorf("decode Influx lines: %w", malformed)
	}
	return c, nil
}

// exposition tells whether a text begins as Prometheus' does.
func exposition(body []byte) bool {
	return bytes.HasPrefix(body, []byte("# HELP ")) || bytes.HasPrefix(body, []byte("# TYPE "))
}

// line reads one line: all of it or, after an error, nothing.
func (i Influx) line(dec *lineprotocol.Decoder, at time.Time, c *telemetry.Content) error {
	m, err := dec.Measurement()
	if err != nil {
		return err
	}
	measurement := string(m)
	tags, err := readTags(dec)
	if err != nil {
		return err
	}
	var found []value
	text := 0
	for {
		key, v, err := dec.NextField()
		if err != nil {
			return err
		}
		if key == nil {
			break
		}
		if f, ok := number(v); ok {
			found = append(found, value{string(key), f})
		} else {
			text++
		}
	}
	t, err := dec.Time(i.Precision, at)
	if err != nil {
		return err
	}
	for range text {
		c.Skip(skippedString)
	}
	return addAll(c, measurement, tags, found, t)
}

// value is a field that is a number.
type value struct {
	field string
	v     float64
}

func addAll(c *telemetry.Content, measurement string, tags []telemetry.Label, found []value, t time.Time) error {
	for _, f := range found {
		s := telemetry.Series{
			Labels:  make([]telemetry.Label, 1, len(tags)+1),
			Samples: []telemetry.Sample{{Time: t.UnixMilli(), Value: f.v}},
		}
		s.Labels[0] = telemetry.Label{Name: telemetry.NameLabel, Value: name(measurement+"_"+f.field, true)}
		s.Labels = append(s.Labels, tags...)
		if err := add(c, &s); err != nil {
			return err
		}
	}
	return nil
}

func readTags(dec *lineprotocol.Decoder) (tags []telemetry.Label, err error) {
	for {
		key, v, err := dec.NextTag()
		if err != nil || key == nil {
			return tags, err
		}
		tags = append(tags, telemetry.Label{Name: name(string(key), false), Value: string(v)})
	}
}

// number is the value of a field that is one; true counts as 1.
func number(v lineprotocol.Value) (float64, bool) {
	switch v.Kind() {
	case lineprotocol.Float:
		return v.FloatV(), true
	case lineprotocol.Int:
		return float64(v.IntV()), true
	case lineprotocol.Uint:
		return float64(v.UintV()), true
	case lineprotocol.Bool:
		if v.BoolV() {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

// name turns every character that PromQL does not take in a name into an
// underscore. Metric names may have colons.
func name(s string, colon bool) string {
	if s != "" && s[0] >= '0' && s[0] <= '9' {
		s = "_" + s
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == ':' && colon:
			return r
		}
		return '_'
	}, s)
}
