package telemetry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
)

// jsonMetric is one sample for a five-line script:
//
//	{"name": "orders_total", "labels": {"shop": "7"}, "value": 1, "timestamp": 1789000000.5}
//
// Timestamp is Unix time in seconds, or in milliseconds from 1e11 on, or an
// RFC 3339 string; without one the message's own time counts.
type jsonMetric struct {
	Name      string            `json:"name"`
	Labels    map[string]string `json:"labels"`
	Value     jsonValue         `json:"value"`
	Timestamp jsonTime          `json:"timestamp"`
}

// jsonValue is a number, or one of "NaN", "+Inf", "-Inf" as a string.
type jsonValue struct {
	v   float64
	set bool
}

// UnmarshalJSON implements json.Unmarshaler.
func (j *jsonValue) UnmarshalJSON(b []byte) error {
	v, err := strconv.ParseFloat(string(bytes.Trim(b, `"`)), 64)
	if err != nil {
		return fmt.Errorf("value %s is not a number", b)
	}
	*j = jsonValue{v, true}
	return nil
}

// jsonTime is a time in Unix milliseconds; zero means none was given.
type jsonTime int64

// millisFrom is the number from which on a timestamp counts as milliseconds:
// as seconds it would be in the year 5138.
const millisFrom = 1e11

// UnmarshalJSON implements json.Unmarshaler.
func (j *jsonTime) UnmarshalJSON(b []byte) error {
	var t time.Time
	if json.Unmarshal(b, &t) == nil && !t.IsZero() {
		*j = jsonTime(t.UnixMilli())
		return nil
	}
	v, err := strconv.ParseFloat(string(b), 64)
	if err != nil || math.Abs(v) > 1e14 {
		return fmt.Errorf("timestamp %s is neither Unix time nor RFC 3339", b)
	}
	if math.Abs(v) < millisFrom {
		v *= 1000
	}
	*j = jsonTime(math.Round(v))
	return nil
}

// decodeJSON takes one metric or a list of them. The whole body is checked
// before the first visit.
func decodeJSON(b []byte, arrival time.Time, visit func(*Series) error) error {
	if len(b) > MaxJSON {
		return fmt.Errorf("decode JSON metric: %d bytes, more than %d", len(b), MaxJSON)
	}
	metrics, err := parseJSON(bytes.TrimSpace(b))
	if err != nil {
		return fmt.Errorf("decode JSON metric: %w", err)
	}
	series := make([]Series, len(metrics))
	for i := range metrics {
		if err := metrics[i].series(arrival, &series[i]); err != nil {
			return fmt.Errorf("decode JSON metric %d: %w", i+1, err)
		}
	}
	for i := range series {
		if err := visit(&series[i]); err != nil {
			return err
		}
	}
	return nil
}

// parseJSON reads one metric or a list of them.
func parseJSON(b []byte) (metrics []jsonMetric, err error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if bytes.HasPrefix(b, []byte("[")) {
		err = dec.Decode(&metrics)
	} else {
		metrics = make([]jsonMetric, 1)
		err = dec.Decode(&metrics[0])
	}
	if err != nil {
		return nil, err
	}
	if dec.InputOffset() != int64(len(b)) {
		return nil, errors.New("more behind it; several metrics need a list")
	}
	return metrics, nil
}

func (j *jsonMetric) series(arrival time.Time, s *Series) error {
	if !j.Value.set {
		return fmt.Errorf("%q has no value", j.Name)
	}
	if j.Timestamp == 0 {
		j.Timestamp = jsonTime(arrival.UnixMilli())
	}
	s.Samples = []Sample{{Time: int64(j.Timestamp), Value: j.Value.v}}
	s.Labels = append(s.Labels, Label{NameLabel, j.Name})
	for n, v := range j.Labels {
		s.Labels = append(s.Labels, Label{n, v})
	}
	sortLabels(s.Labels)
	return s.validate()
}
