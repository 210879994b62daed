package telemetry

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/klauspost/compress/snappy"

	"thump/internal/bus"
)

// Limits of what Decode takes.
const (
	MaxDecompressed = 32 << 20 // bytes of one body
	MaxJSON         = 4 << 20  // bytes of one body of JSON, which takes many times that to decode
	MaxSymbols      = 1 << 20  // of one message
	MaxSeries       = 1 << 18  // of one message
	MaxSamples      = 1 << 20  // of one message
	MaxLabels       = 128      // of one series
	MaxLabelLength  = 16 << 10 // bytes of name and value together
)

// Errors that mark a message in a format, or a compression, not known here.
var (
	ErrContentType     = errors.New("unknown content type")
	ErrContentEncoding = errors.New("unknown content encoding")
)

// Decompress returns what a body is by its content encoding: none, snappy (block
// format) or gzip.
func Decompress(encoding string, body []byte) ([]byte, error) { return decompress(encoding, nil, body) }

// Decode calls visit for each series of a message, once all of it is found to
// be well formed. The series and its slices are valid only during the call; its
// strings stay valid. An error of visit ends it and is returned as it is.
func Decode(m *bus.Message, visit func(*Series) error) error {
	return NewDecoder(0).Decode(m, func(r *Run) error { return visit(r.Series()) })
}

// arrival is the time of samples that carry none.
func arrival(m *bus.Message) time.Time {
	if m.Time.IsZero() {
		return time.Now()
	}
	return m.Time
}

// decompress returns the body, which may be in scratch or in b itself.
func decompress(encoding string, scratch, b []byte) ([]byte, error) {
	switch encoding {
	case "", "identity":
		return b, nil
	case "snappy":
		return unsnappy(scratch, b)
	case "gzip":
		return gunzip(b)
	}
	return nil, fmt.Errorf("%w %q", ErrContentEncoding, encoding)
}

func unsnappy(scratch, b []byte) ([]byte, error) {
	n, err := snappy.DecodedLen(b)
	if err != nil {
		return nil, fmt.Errorf("decompress snappy: %w", err)
	}
	if n > MaxDecompressed {
		return nil, fmt.Errorf("decompress snappy: %d bytes, more than %d", n, MaxDecompressed)
	}
	out, err := snappy.Decode(scratch[:cap(scratch)], b)
	if err != nil {
		return nil, fmt.Errorf("decompress snappy: %w", err)
	}
	return out, nil
}

func gunzip(b []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("decompress gzip: %w", err)
	}
	out, err := io.ReadAll(io.LimitReader(r, MaxDecompressed+1))
	if err != nil {
		return nil, fmt.Errorf("decompress gzip: %w", err)
	}
	if len(out) > MaxDecompressed {
		return nil, fmt.Errorf("decompress gzip: more than %d bytes", MaxDecompressed)
	}
	return out, nil
}
