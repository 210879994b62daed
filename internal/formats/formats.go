package formats

import (
	"fmt"
	"maps"
	"slices"

	"thump/internal/telemetry"
)

// All are the formats that every subscriber reads, by a message's content type.
func All() []telemetry.Format {
	return []telemetry.Format{RemoteWrite1{}, OTLP{}, Text{}, Influx{}}
}

// SkippedLine is the reason of lines of Influx that are not well formed.
const SkippedLine = "malformed_line"

// Further reasons why samples are skipped, besides telemetry.SkippedHistogram.
const (
	skippedLabels     = "labels"            // no name, too many labels, too long, not UTF-8
	skippedString     = "string_field"      // a field of text
	skippedDelta      = "delta_temporality" // a difference, where history keeps totals
	skippedUnreadable = "untranslatable"    // whatever the OTLP translator refuses
)

// add takes a series into c; one whose labels are not good is skipped.
func add(c *telemetry.Content, s *telemetry.Series) error {
	if len(c.Series) == telemetry.MaxSeries {
		return fmt.Errorf("more than %d series", telemetry.MaxSeries)
	}
	if s.Normalize() != nil {
		for range s.Samples {
			c.Skip(skippedLabels)
		}
		return nil
	}
	c.Series = append(c.Series, *s)
	return nil
}

// Reasons lists what was skipped for someone to read, such as "2 string_field".
func Reasons(skipped map[string]int) string {
	text := ""
	for _, reason := range slices.Sorted(maps.Keys(skipped)) {
		if text != "" {
			text += ", "
		}
		text += fmt.Sprintf("%d %s", skipped[reason], reason)
	}
	return text
}
