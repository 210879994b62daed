package check

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"

	"thump/internal/telemetry"
)

// Nagios plugins say what they found as the Monitoring Plugins Development
// Guidelines lay down:
//
//	TEXT | 'label'=value[UOM];[warn];[crit];[min];[max] ...
//	more text | perfdata, and on every line after it
//
// maxPerfdata bounds the values of one run.
const maxPerfdata = 1000

// perfdata is one value of a plugin, in base units.
type perfdata struct {
	label      string
	unit       string // seconds, bytes, ratio, total (a counter), or what the plugin says
	value      float64
	warn, crit Range
	min, max   float64 // NaN if not given
}

// parsePlugin splits what a plugin printed into its first line of text and its
// values. An error tells of values that were left out.
func parsePlugin(output string) (text string, values []perfdata, err error) {
	first, rest, _ := strings.Cut(output, "\n")
	text, perf, _ := strings.Cut(first, "|")
	values, err = parsePerfdata(perf)
	// Text may follow on more lines up to a "|"; all behind that is perfdata. But
	// where not one value is, it is a bar in a text, as in the usage of a plugin.
	if _, tail, found := strings.Cut(rest, "|"); found {
		if more, merr := parsePerfdata(tail); len(more) > 0 {
			values, err = append(values, more...), errors.Join(err, merr)
		}
	}
	return strings.TrimSpace(text), values[:min(len(values), maxPerfdata)], err
}

func parsePerfdata(s string) (values []perfdata, err error) {
	for s = strings.TrimLeft(s, " \t\r\n"); s != ""; s = strings.TrimLeft(s, " \t\r\n") {
		if len(values) == maxPerfdata {
			return values, fmt.Errorf("perfdata: more than %d values", maxPerfdata)
		}
		label, rest, found := perfLabel(s)
		if !found {
			return values, fmt.Errorf("perfdata: %.60q: want 'label'=value", s)
		}
		field := rest
		if i := strings.IndexAny(rest, " \t\r\n"); i >= 0 {
			field = rest[:i]
		}
		s = rest[len(field):]
		p, known, perr := parseValue(field)
		if perr != nil {
			err = fmt.Errorf("perfdata %.60q: %w", label, perr)
			continue
		}
		if p.label = label; known {
			values = append(values, p)
		}
	}
	return values, err
}

// perfLabel splits off a label and its "=". A quoted one may hold anything, with
// quotes doubled.
func perfLabel(s string) (label, rest string, found bool) {
	if s[0] != '\'' {
		label, rest, found = strings.Cut(s, "=")
		return label, rest, found && label != ""
	}
	for i := 1; i < len(s); i++ {
		if s[i] != '\'' {
			continue
		}
		if i+1 < len(s) && s[i+1] == '\'' {
			i++
			continue
		}
		rest, found = strings.CutPrefix(s[i+1:], "=")
		return strings.ReplaceAll(s[1:i], "''", "'"), rest, found && i > 1
	}
	return "", "", false
}

var leadingNumber = regexp.MustCompile(`^[-+]?[0-9.,]+([eE][-+]?[0-9]+)?`)

// parseValue reads value[UOM];[warn];[crit];[min];[max]. A value of U is not known.
func parseValue(field string) (p perfdata, known bool, err error) {
	parts := strings.Split(field, ";")
	if parts[0] == "U" {
		return p, false, nil
	}
	digits := len(leadingNumber.FindString(parts[0]))
	if p.value, err = number(parts[0][:digits]); err != nil {
		return p, false, err
	}
	unit, factor := baseUnit(parts[0][digits:])
	p.unit, p.value = unit, p.value*factor
	p.warn, p.crit = perfRange(parts, 1, factor), perfRange(parts, 2, factor)
	p.min, p.max = perfLimit(parts, 3, factor), perfLimit(parts, 4, factor)
	return p, true, nil
}

// perfRange is a threshold; one that cannot be read is none, as many plugins
// print their own notation there.
func perfRange(parts []string, i int, factor float64) Range {
	if i >= len(parts) || parts[i] == "" {
		return Range{}
	}
	r, err := parseRange(parts[i])
	if err != nil {
		return Range{}
	}
	r.low, r.high = r.low*factor, r.high*factor
	return r
}

func perfLimit(parts []string, i int, factor float64) float64 {
	if i >= len(parts) {
		return math.NaN()
	}
	v, err := number(parts[i])
	if err != nil {
		return math.NaN()
	}
	return v * factor
}

// baseUnit turns a plugin's unit into Prometheus's. K, M, G, T and P of bytes are
// powers of 1024, as the plugins that print them mean it.
func baseUnit(uom string) (unit string, factor float64) {
	switch uom {
	case "s":
		return "seconds", 1
	case "ms":
		return "seconds", 1e-3
	case "us", "µs":
		return "seconds", 1e-6
	case "ns":
		return "seconds", 1e-9
	case "%":
		return "ratio", 0.01
	case "c":
		return "total", 1
	}
	if prefix, isBytes := strings.CutSuffix(uom, "B"); isBytes {
		prefix = strings.TrimSuffix(prefix, "i")
		if i := strings.Index("KMGTPE", strings.ToUpper(prefix)); len(prefix) == 1 && i >= 0 {
			return "bytes", math.Pow(1024, float64(i+1))
		}
		if prefix == "" {
			return "bytes", 1
		}
	}
	return strings.ToValidUTF8(uom, "\uFFFD"), 1
}

// add adds the value, its thresholds and its limits.
func (p *perfdata) add(o *output) {
	p.addOne(o, "nagios_perfdata", "A value of a plugin, in base units.", p.value, "")
	p.addRange(o, "nagios_perfdata_warn", "Where a plugin's value is a warning, in base units.", p.warn)
	p.addRange(o, "nagios_perfdata_crit", "Where a plugin's value is critical, in base units.", p.crit)
	if !math.IsNaN(p.min) {
		p.addOne(o, "nagios_perfdata_min", "Least value that is possible, in base units.", p.min, "")
	}
	if !math.IsNaN(p.max) {
		p.addOne(o, "nagios_perfdata_max", "Greatest value that is possible, in base units.", p.max, "")
	}
}

// addRange adds the ends of a range: bound says on which side of it the good is.
func (p *perfdata) addRange(o *output, name, help string, r Range) {
	lower, upper := "lower", "upper"
	if r.outside {
		lower, upper = "inside_lower", "inside_upper"
	}
	// A lone number means from 0, which nobody set as a limit.
	if r.set && !math.IsInf(r.low, 0) && (r.low != 0 || r.outside) {
		p.addOne(o, name, help, r.low, lower)
	}
	if r.set && !math.IsInf(r.high, 0) {
		p.addOne(o, name, help, r.high, upper)
	}
}

func (p *perfdata) addOne(o *output, name, help string, v float64, bound string) {
	o.add(&sample{name: name, help: help, value: v, labels: []telemetry.Label{
		{Name: "bound", Value: bound}, {Name: "check", Value: o.check},
		{Name: "label", Value: p.label[:min(len(p.label), maxLabelValue)]}, {Name: "unit", Value: p.unit},
	}})
}
