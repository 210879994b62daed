package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"thump/internal/bus"
	"thump/internal/formats"
	"thump/internal/telemetry"
)

// metric is a sample in the JSON that docs/messages.md describes.
type metric struct {
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels,omitempty"`
	Value  number            `json:"value"`
	Time   seconds           `json:"timestamp"`
}

// number is a value; those that JSON has no number for are text.
type number float64

// MarshalJSON implements json.Marshaler.
func (n number) MarshalJSON() ([]byte, error) {
	text := strconv.FormatFloat(float64(n), 'g', -1, 64)
	if v := float64(n); math.IsNaN(v) || math.IsInf(v, 0) {
		text = `"` + text + `"`
	}
	return []byte(text), nil
}

// seconds are Unix milliseconds, written as seconds.
type seconds int64

// MarshalJSON implements json.Marshaler.
func (s seconds) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(s)/1000, 'f', -1, 64), nil
}

// metricOf is the first sample of a series.
func metricOf(s *telemetry.Series) metric {
	m := metric{Name: s.Name(), Value: number(s.Samples[0].Value), Time: seconds(s.Samples[0].Time)}
	for _, l := range s.Labels {
		if l.Name == telemetry.NameLabel {
			continue
		}
		if m.Labels == nil {
			m.Labels = map[string]string{}
		}
		m.Labels[l.Name] = l.Value
	}
	return m
}

// Bounds of one message; as JSON it stays well below telemetry.MaxJSON.
const (
	batchLines = 1000
	batchBytes = 256 << 10
)

// inputLine is one of standard input, or the error that it ends with.
type inputLine struct {
	number int
	text   string
	err    error
}

// lines publishes what r says, line by line: those that are there at once go in
// one message. At a bad line it stops; what is before it has been published.
func (s *sender) lines(ctx context.Context, r io.Reader) error {
	// Not waited for: a read of a terminal does not end before the process does.
	in := make(chan inputLine, batchLines)
	go scan(ctx, r, in)
	published := 0
	for {
		batch, err := gather(ctx, in)
		if len(batch) > 0 {
			if failed := s.send(ctx, "stdin", batch); failed != nil {
				return fmt.Errorf("%w (%d metrics published before)", failed, published)
			}
			published += len(batch)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w (%d metrics published before)", err, published)
		}
	}
}

func scan(ctx context.Context, r io.Reader, in chan<- inputLine) {
	scanner, n := bufio.NewScanner(r), 0
	send := func(l inputLine) bool {
		select {
		case in <- l:
			return true
		case <-ctx.Done():
			return false
		}
	}
	for scanner.Scan() {
		if n++; !send(inputLine{number: n, text: scanner.Text()}) {
			return
		}
	}
	err := io.EOF
	if failed := scanner.Err(); failed != nil {
		err = fmt.Errorf("read line %d: %w", n+1, failed)
	}
	send(inputLine{err: err})
}

// gather waits for a line and takes those that are there besides. With an error,
// which may be io.EOF, it returns what came before it.
func gather(ctx context.Context, in <-chan inputLine) (batch []metric, err error) {
	var l inputLine
	select {
	case l = <-in:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for size := 0; ; l = <-in {
		if l.err != nil {
			return batch, l.err
		}
		metrics, err := parseLine(l.text, time.Now())
		if err != nil {
			return batch, fmt.Errorf("line %d: %w", l.number, err)
		}
		batch, size = append(batch, metrics...), size+len(l.text)
		if len(in) == 0 || len(batch) >= batchLines || size >= batchBytes {
			return batch, nil
		}
	}
}

// parseLine reads a line: text as exporters serve it, or JSON. A comment or an
// empty line has no metrics.
func parseLine(text string, now time.Time) (metrics []metric, err error) {
	text = strings.TrimSpace(text)
	if text == "" || text[0] == '#' {
		return nil, nil
	}
	take := func(s *telemetry.Series) error {
		metrics = append(metrics, metricOf(s))
		return nil
	}
	// A name in quotes begins with a brace too, but ends in a number: {"http.requests"} 1.
	if text[0] == '[' || text[0] == '{' && text[len(text)-1] == '}' {
		err := telemetry.Decode(&bus.Message{ContentType: telemetry.JSONContentType, Time: now, Body: []byte(text)}, take)
		return metrics, err
	}
	content, err := formats.Text{}.Read([]byte(text), now)
	switch {
	case err != nil:
		return nil, err
	case len(content.Skipped) > 0:
		return nil, fmt.Errorf("cannot be published: %s", formats.Reasons(content.Skipped))
	}
	for i := range content.Series {
		if err := take(&content.Series[i]); err != nil {
			return nil, err
		}
	}
	return metrics, nil
}
