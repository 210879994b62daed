package check

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Range is a threshold in Nagios's notation: 10 is 0 to 10, 10: is 10 and more,
// ~:10 is 10 and less, 10:20 is between, @10:20 turns it round. It tells which
// values are good; the zero Range is all of them.
type Range struct {
	set       bool
	low, high float64
	outside   bool // good is what lies outside, "@"
}

// Good tells whether a value raises no alert.
func (r Range) Good(v float64) bool {
	if !r.set {
		return true
	}
	return (v >= r.low && v <= r.high) != r.outside
}

// UnmarshalText reads a range.
func (r *Range) UnmarshalText(b []byte) error {
	v, err := parseRange(string(b))
	if err != nil {
		return err
	}
	*r = v
	return nil
}

func parseRange(s string) (Range, error) {
	r := Range{set: true, low: 0, high: math.Inf(1)}
	text, outside := strings.CutPrefix(s, "@")
	r.outside = outside
	low, high, two := strings.Cut(text, ":")
	if !two {
		low, high = "0", text
		if text == "" {
			return Range{}, fmt.Errorf("range %q: no number", s)
		}
	}
	var err error
	switch low {
	case "~":
		r.low = math.Inf(-1)
	case "":
	default:
		r.low, err = number(low)
	}
	if err == nil && high != "" {
		r.high, err = number(high)
	}
	if err != nil {
		return Range{}, fmt.Errorf("range %q: %w", s, err)
	}
	if r.low > r.high {
		return Range{}, fmt.Errorf("range %q: the first is more than the second", s)
	}
	return r, nil
}

// number reads a decimal number, with a comma from plugins that know no other.
func number(s string) (float64, error) {
	if strings.Trim(s, "0123456789+-.,eE") != "" { // no inf, nan, hex or underscore
		return 0, fmt.Errorf("%.40q is no number", s)
	}
	v, err := strconv.ParseFloat(strings.Replace(s, ",", ".", 1), 64)
	if err != nil {
		return 0, fmt.Errorf("%.40q is no number", s)
	}
	return v, nil
}
