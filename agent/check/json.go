package check

import (
	"time"

	"thump/internal/bus"
	"thump/internal/telemetry"
)

// parseJSON reads metrics in the JSON form that the pipeline takes of any
// publisher: {"name": "orders", "labels": {"shop": "7"}, "value": 1}, or a list
// of them. Timestamps are read over: it counts as measured now.
func parseJSON(o *output, text string) error {
	m := &bus.Message{ContentType: telemetry.JSONContentType, Body: []byte(text), Time: time.Now()}
	return telemetry.Decode(m, func(s *telemetry.Series) error {
		labels := s.Labels[:0:0]
		for _, l := range s.Labels {
			if l.Name != telemetry.NameLabel {
				labels = append(labels, l)
			}
		}
		for _, v := range s.Samples {
			o.add(&sample{name: s.Name(), typ: s.Type, help: s.Help, labels: labels, value: v.Value})
		}
		return nil
	})
}
