package telemetry

import (
	"time"

	"thump/internal/bus"
)

// Format reads bodies in a format other than the two that every part of the
// pipeline reads by itself, Remote-Write 2.0 and JSON.
type Format interface {
	// Takes tells whether a message is in this format. media and params are its
	// content type as mime.ParseMediaType gives it, empty if it has none.
	Takes(m *bus.Message, media string, params map[string]string) bool
	// Read returns what a decompressed body holds. Samples that carry no time get
	// that of at. An error means that nothing of it can be used.
	Read(body []byte, at time.Time) (*Content, error)
}

// Content is what a body holds.
type Content struct {
	Series []Series
	// Skipped counts by reason the samples that are not in Series, since a series
	// of floats cannot say what they say.
	Skipped map[string]int
}

// Skip counts a sample that cannot be represented.
func (c *Content) Skip(reason string) {
	if c.Skipped == nil {
		c.Skipped = map[string]int{}
	}
	c.Skipped[reason]++
}

// SkippedHistogram is the reason why a native histogram is not taken: history
// keeps floats.
const SkippedHistogram = "native_histogram"
