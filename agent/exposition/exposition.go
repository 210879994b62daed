// Package exposition reads the Prometheus text format 0.0.4 and OpenMetrics 1.0
// without the memory that a full decoder takes: one sample at a time.
package exposition

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"thump/internal/telemetry"
)

// reader reads a text line by line.
type reader struct {
	visit func(*Sample)

	// Of the metric family being read.
	family string
	typ    telemetry.Type
	help   string

	labels []telemetry.Label // scratch
}

var types = map[string]telemetry.Type{
	"counter": telemetry.Counter, "gauge": telemetry.Gauge, "histogram": telemetry.Histogram,
	"gaugehistogram": telemetry.GaugeHistogram, "summary": telemetry.Summary,
	"info": telemetry.Info, "stateset": telemetry.StateSet,
}

// Sample is one line of values. Its labels are valid only during the call that it
// is passed in; its strings share the memory of the text.
type Sample struct {
	Name   string
	Type   telemetry.Type
	Help   string
	Labels []telemetry.Label // in the order of the text
	Value  float64
}

// MaxLabels is how many labels a sample may have.
const MaxLabels = 64

// Read visits the samples up to the first line that is malformed. Timestamps and
// exemplars are read over: what is read counts as measured now.
func Read(text string, visit func(*Sample)) error {
	r := reader{visit: visit}
	for n := 1; text != ""; n++ {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		if err := r.line(strings.TrimRight(line, "\r")); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return nil
}

func (r *reader) line(line string) error {
	line = strings.TrimLeft(line, " \t")
	if line == "" {
		return nil
	}
	if line[0] == '#' {
		r.comment(line[1:])
		return nil
	}
	return r.sample(line)
}

// comment reads # HELP and # TYPE; any other is one for readers.
func (r *reader) comment(line string) {
	keyword, rest := token(line)
	name, rest := token(rest)
	if keyword != "HELP" && keyword != "TYPE" || name == "" {
		return
	}
	if name != r.family {
		r.family, r.typ, r.help = name, telemetry.Unspecified, ""
	}
	if keyword == "HELP" {
		r.help = unescape(strings.TrimLeft(rest, " \t"))
		return
	}
	kind, _ := token(rest)
	r.typ = types[kind]
}

// sample reads name{label="value",…} value [timestamp] [# exemplar].
func (r *reader) sample(line string) error {
	name, rest, err := metricName(line)
	if err != nil {
		return err
	}
	r.labels = r.labels[:0]
	rest = strings.TrimLeft(rest, " \t")
	if strings.HasPrefix(rest, "{") {
		if name, rest, err = r.labelSet(name, rest[1:]); err != nil {
			return err
		}
	}
	text, rest := token(rest)
	value, err := parseFloat(text)
	if err != nil {
		return err
	}
	if name == "" {
		return errors.New("no metric name")
	}
	if err := checkTail(rest); err != nil {
		return err
	}
	m := Sample{Name: name, Labels: r.labels, Value: value}
	if r.belongs(name) {
		m.Type, m.Help = r.typ, r.help
	}
	r.visit(&m)
	return nil
}

// checkTail checks what may follow a value.
func checkTail(rest string) error {
	rest, _, exemplar := strings.Cut(rest, "#")
	stamp, rest := token(rest)
	if stamp != "" {
		if _, err := strconv.ParseFloat(stamp, 64); err != nil {
			return fmt.Errorf("bad timestamp %.40q", stamp)
		}
	}
	if strings.TrimSpace(rest) != "" && !exemplar {
		return fmt.Errorf("%.40q after the timestamp", rest)
	}
	return nil
}

// belongs tells whether a series is of the family last described: the name alone
// or with the suffix of one of its parts.
func (r *reader) belongs(name string) bool {
	suffix, of := strings.CutPrefix(name, r.family)
	if !of || r.family == "" {
		return false
	}
	switch suffix {
	case "", "_total", "_created", "_count", "_sum", "_bucket", "_info", "_gcount", "_gsum":
		return true
	}
	return false
}

// metricName splits off the name; it is empty if it stands between the braces,
// quoted, as names in UTF-8 do.
func metricName(line string) (name, rest string, err error) {
	i := strings.IndexAny(line, "{ \t")
	if i < 0 {
		return "", "", fmt.Errorf("%.40q: no value", line)
	}
	if i > 0 && !isName(line[:i], true) {
		return "", "", fmt.Errorf("bad metric name %.40q", line[:i])
	}
	return line[:i], line[i:], nil
}

// labelSet reads the labels up to the closing brace.
func (r *reader) labelSet(name, s string) (metric, rest string, err error) {
	for {
		s = strings.TrimLeft(s, " \t")
		if rest, done := strings.CutPrefix(s, "}"); done {
			return name, rest, nil
		}
		var label string
		quoted := strings.HasPrefix(s, `"`)
		if label, s, err = labelName(s); err != nil {
			return "", "", err
		}
		value, isPair := strings.CutPrefix(strings.TrimLeft(s, " \t"), "=")
		if !isPair {
			if !quoted || name != "" {
				return "", "", fmt.Errorf("label %.40q without a value", label)
			}
			name = label
		} else {
			s = strings.TrimLeft(value, " \t")
			var text string
			if text, s, err = quotedText(s); err != nil {
				return "", "", fmt.Errorf("label %.40q: %w", label, err)
			}
			if err := r.label(label, text); err != nil {
				return "", "", err
			}
		}
		s = strings.TrimLeft(s, " \t")
		if after, more := strings.CutPrefix(s, ","); more {
			s = after
		} else if !strings.HasPrefix(s, "}") {
			return "", "", fmt.Errorf("want , or } after label %.40q", label)
		}
	}
}

func (r *reader) label(name, value string) error {
	for _, l := range r.labels {
		if l.Name == name {
			return fmt.Errorf("label %.40q twice", name)
		}
	}
	if len(r.labels) == MaxLabels {
		return fmt.Errorf("more than %d labels", MaxLabels)
	}
	r.labels = append(r.labels, telemetry.Label{Name: name, Value: value})
	return nil
}

func labelName(s string) (name, rest string, err error) {
	if strings.HasPrefix(s, `"`) {
		return quotedText(s)
	}
	i := strings.IndexAny(s, "= \t,}")
	if i <= 0 || !isName(s[:i], false) {
		return "", "", fmt.Errorf("bad label name %.40q", s)
	}
	return s[:i], s[i:], nil
}

// quotedText reads a string in double quotes.
func quotedText(s string) (text, rest string, err error) {
	if !strings.HasPrefix(s, `"`) {
		return "", "", fmt.Errorf("want a quoted value, have %.40q", s)
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return unescape(s[1:i]), s[i+1:], nil
		}
	}
	return "", "", fmt.Errorf("no closing quote: %.40q", s)
}

var escapes = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\"`, `"`)

func unescape(s string) string {
	if !strings.ContainsRune(s, '\\') {
		return s
	}
	return escapes.Replace(s)
}

// token splits off a word.
func token(s string) (word, rest string) {
	s = strings.TrimLeft(s, " \t")
	if i := strings.IndexAny(s, " \t"); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}

// isName tells whether s is [a-zA-Z_][a-zA-Z0-9_]*, with colons in a metric's name.
func isName(s string, colons bool) bool {
	for i, r := range []byte(s) {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r == '_', colons && r == ':':
		case i > 0 && r >= '0' && r <= '9':
		default:
			return false
		}
	}
	return s != ""
}

// parseFloat reads a value, NaN and infinities included, in Go's notation without
// its underscores and hexadecimals.
func parseFloat(s string) (float64, error) {
	if strings.ContainsAny(s, "_pPxX") {
		return 0, fmt.Errorf("bad value %.40q", s)
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0, fmt.Errorf("bad value %.40q", s)
	}
	return v, nil
}
