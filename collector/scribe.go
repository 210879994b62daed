package collector

import (
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"golang.org/x/time/rate"

	"thump/internal/bus"
	"thump/internal/formats"
	"thump/internal/telemetry"
)

const (
	// batchSamples ends a batch, so that a commit stays short.
	batchSamples = 100_000
	// rememberedSeries bounds the series whose reference is kept, at about 60
	// bytes each.
	rememberedSeries = 2_000_000
	// maxAhead is how far a sample's time may lie ahead of our clock. One from next
	// year would make everything else too old for the out-of-order window.
	maxAhead = 10 * time.Minute
)

// scribe writes messages into appenders. It remembers in the decoder's notes the
// reference that history has for a series, so that labels are looked up once. It
// is not safe for concurrent use.
type scribe struct {
	// Static after construction.
	families *families
	metrics  *metrics
	log      *slog.Logger
	logged   *rate.Limiter // of what is refused

	decoder    *telemetry.Decoder
	generation int // of history, for which the notes hold
	builder    labels.ScratchBuilder

	// Of the batch being written.
	app        storage.Appender
	message    *bus.Message
	latest     int64    // Unix milliseconds; samples ahead of it are refused
	unreadable []string // for each message the reason, or ""
	samples    int
	refused    map[string]int // samples by reason
}

func newScribe(f *families, m *metrics, log *slog.Logger) *scribe {
	return &scribe{
		families: f, metrics: m, log: log, logged: rate.NewLimiter(rate.Every(10*time.Second), 5),
		builder: labels.NewScratchBuilder(16), refused: map[string]int{},
	}
}

// write appends the samples of messages until it has enough for a batch; it
// returns of how many messages. A message that cannot be decoded is marked in
// unreadable, and a sample that history refuses is counted; an error means that
// history takes nothing.
func (s *scribe) write(app storage.Appender, generation int, batch []*bus.Delivery) (n int, err error) {
	if s.decoder == nil || s.generation != generation {
		s.decoder, s.generation = telemetry.NewDecoder(rememberedSeries, formats.All()...), generation
	}
	s.app, s.samples, s.latest = app, 0, time.Now().Add(maxAhead).UnixMilli()
	s.unreadable = s.unreadable[:0]
	clear(s.refused)
	for n < len(batch) && s.samples < batchSamples {
		s.message = &batch[n].Message
		if err := s.decode(); err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// decode writes one message.
func (s *scribe) decode() error {
	var storing error
	decoding := s.decoder.Decode(s.message, func(r *telemetry.Run) error {
		storing = s.run(r)
		return storing
	})
	reason := ""
	switch {
	case storing != nil:
		return storing
	case errors.Is(decoding, telemetry.ErrContentType):
		reason = "content_type"
	case decoding != nil:
		reason = "malformed"
	}
	s.unreadable = append(s.unreadable, reason)
	for skipped, n := range s.decoder.Skipped() {
		s.refused[skipped] += n
	}
	if reason != "" && s.logged.Allow() {
		s.log.Warn("message rejected", "origin", telemetry.OriginOf(s.message), "key", s.message.Key,
			"content_type", s.message.ContentType, "err", decoding)
	}
	return nil
}

// run appends the samples of one series, whose reference is in the note.
func (s *scribe) run(r *telemetry.Run) error {
	if r.Note == 0 {
		s.families.note(r.Series())
	}
	for i := range r.Samples {
		p := &r.Samples[i]
		err := s.sample(r, p)
		if err == nil {
			s.samples++
			continue
		}
		reason := refusal(err)
		if reason == "" {
			return err
		}
		s.refused[reason]++
		if s.logged.Allow() {
			s.log.Warn("sample refused", "origin", telemetry.OriginOf(s.message), "metric", r.Series().Name(),
				"time", time.UnixMilli(p.Time), "err", err)
		}
	}
	return nil
}

func (s *scribe) sample(r *telemetry.Run, p *telemetry.Sample) error {
	if p.Time > s.latest {
		return errAhead
	}
	if r.Note != 0 {
		// Labels are not looked at as long as the reference is good.
		_, err := s.app.Append(storage.SeriesRef(r.Note), labels.EmptyLabels(), p.Time, p.Value)
		if !errors.Is(err, tsdb.ErrInvalidSample) {
			return err
		}
		r.Note = 0 // history has dropped the series, which had no samples for hours
	}
	ref, err := s.app.Append(0, s.labels(r.Series()), p.Time, p.Value)
	r.Note = uint64(ref)
	return err
}

func (s *scribe) labels(series *telemetry.Series) labels.Labels {
	s.builder.Reset()
	for _, l := range series.Labels {
		s.builder.Add(l.Name, l.Value)
	}
	return s.builder.Labels()
}

// report counts the batch, once it is committed.
func (s *scribe) report() {
	s.metrics.samples.Add(float64(s.samples))
	for _, reason := range s.unreadable {
		if reason != "" {
			s.metrics.messages.Inc()
			s.metrics.rejectedMessages.WithLabelValues(reason).Inc()
		}
	}
	for reason, n := range s.refused {
		s.metrics.rejectedSamples.WithLabelValues(reason).Add(float64(n))
	}
	s.metrics.remembered.Set(float64(s.decoder.Remembered()))
}

var errAhead = errors.New("sample lies ahead of the clock")

// refusal is the reason why history takes a sample never, or "" if err says that
// it takes none now.
func refusal(err error) string {
	switch {
	case errors.Is(err, errAhead):
		return "ahead"
	case errors.Is(err, storage.ErrTooOldSample), errors.Is(err, storage.ErrOutOfBounds):
		return "too_old"
	case errors.Is(err, storage.ErrOutOfOrderSample):
		return "out_of_order"
	case errors.Is(err, storage.ErrDuplicateSampleForTimestamp):
		return "duplicate"
	case errors.Is(err, tsdb.ErrInvalidSample):
		return "invalid"
	}
	return ""
}
