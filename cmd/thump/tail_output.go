package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/common/model"

	"thump/internal/bus"
	"thump/internal/telemetry"
)

// screen writes lines. What cannot be written shows when out is flushed.
type screen struct {
	tail    *tail
	out     *bufio.Writer
	decoder *telemetry.Decoder
	lines   int // written
}

// errEnough ends the decoding of a message.
var errEnough = errors.New("lines enough")

// delivery writes the lines of a message. The error is that of a message that
// cannot be read.
func (s *screen) delivery(d *bus.Delivery) error {
	if s.tail.messages {
		return s.message(d)
	}
	err := s.decoder.Decode(&d.Message, func(r *telemetry.Run) error {
		series := r.Series()
		for _, p := range r.Samples {
			s.sample(d.Key, series, p)
			if s.tail.limit > 0 && s.lines == s.tail.limit {
				return errEnough
			}
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// millis is RFC 3339 with milliseconds always.
const millis = "2006-01-02T15:04:05.000Z07:00"

func (s *screen) sample(key string, series *telemetry.Series, p telemetry.Sample) {
	s.lines++
	if s.tail.output == "json" {
		m := metricOf(&telemetry.Series{Labels: series.Labels, Samples: []telemetry.Sample{p}})
		s.json(struct {
			Key string `json:"key"`
			metric
		}{key, m})
		return
	}
	fmt.Fprintf(s.out, "%s %s %s %s\n", time.UnixMilli(p.Time).Format(millis), key, notation(series), model.SampleValue(p.Value))
}

// notation is a series as Prometheus writes it.
func notation(series *telemetry.Series) string {
	m := make(model.Metric, len(series.Labels))
	for _, l := range series.Labels {
		m[model.LabelName(l.Name)] = model.LabelValue(l.Value)
	}
	return m.String()
}

// passed is a message as --messages shows it.
type passed struct {
	Time   time.Time `json:"time"` // when it was published, or else seen
	Key    string    `json:"key"`
	Host   string    `json:"host"`
	Probe  string    `json:"probe"`
	Bytes  int       `json:"bytes"`
	Series int       `json:"series"` // 0 if it cannot be read
}

func (s *screen) message(d *bus.Delivery) error {
	from := telemetry.OriginOf(&d.Message)
	p := passed{Time: d.Time, Key: d.Key, Host: from.Host, Probe: from.Probe, Bytes: len(d.Body)}
	if p.Time.IsZero() {
		p.Time = time.Now()
	}
	err := s.decoder.Decode(&d.Message, func(*telemetry.Run) error {
		p.Series++
		return nil
	})
	s.lines++
	if s.tail.output == "json" {
		s.json(p)
		return err
	}
	fmt.Fprintf(s.out, "%s %s host=%s probe=%s bytes=%d series=%d\n",
		p.Time.Format(millis), p.Key, p.Host, p.Probe, p.Bytes, p.Series)
	return err
}

func (s *screen) json(v any) {
	_ = json.NewEncoder(s.out).Encode(v) // out keeps the error
}
