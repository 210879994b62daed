package check

import (
	"fmt"
	"strings"

	"thump/internal/telemetry"
)

// parseInflux reads InfluxDB's line protocol,
//
//	measurement,tag=value,… field=1.5,count=3i,up=true,note="text" [timestamp]
//
// as metrics measurement_field{tag="value"}. Booleans are 0 and 1, strings are
// left out, and timestamps are read over: it counts as measured now.
func parseInflux(o *output, text string) error {
	for n := 1; text != ""; n++ {
		var line string
		line, text = influxLine(text)
		if line == "" || line[0] == '#' {
			continue
		}
		if err := influxSamples(o, line); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return nil
}

// influxLine splits off a line; the line feeds in a string do not end it.
func influxLine(text string) (line, rest string) {
	i := influxEnd(text, "\n", true)
	line, rest = text[:i], text[i:]
	return strings.TrimSpace(line), strings.TrimPrefix(rest, "\n")
}

// influxEnd is the place of the first of stops that is neither escaped nor, if
// strings may stand here, in one.
func influxEnd(s, stops string, quotes bool) int {
	inString := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case s[i] == '"' && quotes:
			inString = !inString
		case !inString && strings.IndexByte(stops, s[i]) >= 0:
			return i
		}
	}
	return len(s)
}

func influxSamples(o *output, line string) error {
	i := influxEnd(line, ", ", false)
	measurement, rest := influxUnescape(line[:i]), line[i:]
	if measurement == "" {
		return fmt.Errorf("%.40q: no measurement", line)
	}
	var labels []telemetry.Label
	for strings.HasPrefix(rest, ",") {
		name, value, after, err := influxPair(rest[1:], false)
		if err != nil {
			return err
		}
		if len(labels) == maxLabels {
			return fmt.Errorf("more than %d tags", maxLabels)
		}
		labels = append(labels, telemetry.Label{Name: metricChars(name), Value: influxUnescape(value)})
		rest = after
	}
	rest = "," + strings.TrimLeft(rest, " ")
	for strings.HasPrefix(rest, ",") {
		name, text, after, err := influxPair(rest[1:], true)
		if err != nil {
			return err
		}
		value, isNumber, err := influxValue(text)
		if err != nil {
			return fmt.Errorf("field %.40q: %w", name, err)
		}
		if isNumber {
			o.add(&sample{name: metricChars(measurement + "_" + name), labels: labels, value: value})
		}
		rest = after
	}
	if stamp := strings.TrimSpace(rest); strings.Trim(stamp, "-0123456789") != "" {
		return fmt.Errorf("bad timestamp %.40q", stamp)
	}
	return nil
}

// influxPair splits off name=value, up to a comma or blank.
func influxPair(s string, quotes bool) (name, value, rest string, err error) {
	i := influxEnd(s, "=, ", false)
	if i == 0 || i == len(s) || s[i] != '=' {
		return "", "", "", fmt.Errorf("%.40q: want name=value", s)
	}
	name, s = influxUnescape(s[:i]), s[i+1:]
	end := influxEnd(s, ", ", quotes)
	if end == 0 {
		return "", "", "", fmt.Errorf("%.40q has no value", name)
	}
	return name, s[:end], s[end:], nil
}

// influxValue reads a field's value. A string is no number.
func influxValue(s string) (v float64, isNumber bool, err error) {
	switch s {
	case "t", "T", "true", "True", "TRUE":
		return 1, true, nil
	case "f", "F", "false", "False", "FALSE":
		return 0, true, nil
	}
	if strings.HasPrefix(s, `"`) {
		return 0, false, nil
	}
	s = strings.TrimSuffix(strings.TrimSuffix(s, "i"), "u")
	v, err = number(s)
	return v, true, err
}

var influxEscapes = strings.NewReplacer(`\,`, ",", `\ `, " ", `\=`, "=", `\\`, `\`, `\"`, `"`)

func influxUnescape(s string) string { return influxEscapes.Replace(s) }

// metricChars makes a name of the classic Prometheus form.
func metricChars(s string) string {
	if isName(s) {
		return s
	}
	s = strings.Map(func(r rune) rune {
		if r < 0x80 && isNameByte(byte(r)) {
			return r
		}
		return '_'
	}, s)
	if s == "" || s[0] >= '0' && s[0] <= '9' {
		return "_" + s
	}
	return s
}
