package telemetry

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
)

var errNoName = errors.New("series without a metric name")

// Normalize sorts the labels, leaves out those without a value, which mean the
// same as none, and says what is wrong with the rest.
func (s *Series) Normalize() error {
	s.Labels = slices.DeleteFunc(s.Labels, func(l Label) bool { return l.Value == "" })
	sortLabels(s.Labels)
	return s.validate()
}

// validate checks a decoded series, whose labels are sorted.
func (s *Series) validate() error {
	if len(s.Labels) > MaxLabels {
		return fmt.Errorf("series with %d labels, more than %d", len(s.Labels), MaxLabels)
	}
	for i, l := range s.Labels {
		switch {
		case l.Name == "":
			return errors.New("label without a name")
		case i > 0 && l.Name == s.Labels[i-1].Name:
			return fmt.Errorf("label %q twice", l.Name)
		case len(l.Name)+len(l.Value) > MaxLabelLength:
			return fmt.Errorf("label %.60q of %d bytes, more than %d", l.Name, len(l.Name)+len(l.Value), MaxLabelLength)
		case !utf8.ValidString(l.Name) || !utf8.ValidString(l.Value):
			return fmt.Errorf("label %q is not UTF-8", l.Name)
		}
	}
	if s.Name() == "" {
		return errNoName
	}
	return nil
}
