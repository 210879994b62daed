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
	quotas     *quotas

	// Of the batch being written.
	app      storage.Appender
	now      time.Time
	latest   int64     // Unix milliseconds; samples ahead of it are refused
	verdicts []verdict // for each message
	samples  int
	skipped  map[string]int // samples by reason that no series of floats can say

	// Of the message being written.
	message *bus.Message
	quota   *quota         // of its host
	refused map[string]int // samples by reason; nil: none
}

// verdict is what becomes of a message.
type verdict struct {
	unreadable string         // the reason, or ""
	refused    map[string]int // samples by reason; nil: none
	origin     telemetry.Origin
}

// rejected tells whether the message is for the queue of rejected ones: all of
// it, or what history does not take of it. A sample that is there already is no
// loss.
func (v *verdict) rejected() bool {
	for reason := range v.refused {
		if reason != refusedDuplicate && reason != refusedDisorder {
			return true
		}
	}
	return v.unreadable != ""
}

func newScribe(f *families, m *metrics, l Limits, log *slog.Logger) *scribe {
	return &scribe{
		families: f, metrics: m, log: log, logged: rate.NewLimiter(rate.Every(10*time.Second), 5),
		builder: labels.NewScratchBuilder(16), quotas: newQuotas(l), skipped: map[string]int{},
	}
}

// write appends the samples of messages until it has enough for a batch; it
// returns of how many messages. What cannot be decoded, and which samples
// history refuses, is in verdicts; an error means that history takes nothing.
func (s *scribe) write(app storage.Appender, generation int, batch []*bus.Delivery) (n int, err error) {
	s.now = time.Now()
	if s.quotas.over(s.now) || s.generation != generation {
		s.quotas.renew(s.now)
		s.decoder, s.generation = telemetry.NewDecoder(rememberedSeries, formats.All()...), generation
	}
	s.app, s.samples, s.latest = app, 0, s.now.Add(maxAhead).UnixMilli()
	s.verdicts = s.verdicts[:0]
	clear(s.skipped)
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
	o := telemetry.OriginOf(s.message)
	s.quota, s.refused = s.quotas.of(o.Host, s.now), nil
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
	s.verdicts = append(s.verdicts, verdict{reason, s.refused, o})
	for skipped, n := range s.decoder.Skipped() {
		s.skipped[skipped] += n
	}
	if reason != "" && s.logged.Allow() {
		s.log.Warn("message rejected", "origin", o, "key", s.message.Key,
			"content_type", s.message.ContentType, "err", decoding)
	}
	return nil
}

// run appends the samples of one series, whose reference is in the note.
func (s *scribe) run(r *telemetry.Run) error {
	if r.Note == 0 {
		s.families.note(r.Series())
	}
	if !s.quota.take(len(r.Samples)) {
		return s.refuse(r, r.Samples, errHostRate)
	}
	for i := range r.Samples {
		err := s.sample(r, &r.Samples[i])
		if err == nil {
			s.samples++
		} else if err := s.refuse(r, r.Samples[i:i+1], err); err != nil {
			return err
		}
	}
	return nil
}

// refuse counts samples that history takes never; it returns cause if that says
// that it takes none now.
func (s *scribe) refuse(r *telemetry.Run, samples []telemetry.Sample, cause error) error {
	reason := refusal(cause)
	if reason == "" {
		return cause
	}
	if s.refused == nil {
		s.refused = map[string]int{}
	}
	s.refused[reason] += len(samples)
	if len(samples) > 0 && s.logged.Allow() {
		s.log.Warn("sample refused", "origin", telemetry.OriginOf(s.message), "metric", r.Series().Name(),
			"time", time.UnixMilli(samples[0].Time), "err", cause)
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
	series := r.Series()
	if err := s.quotas.check(series); err != nil {
		return err
	}
	l := s.labels(series)
	if err := s.quotas.admit(s.quota, s.app, l); err != nil {
		return err
	}
	ref, err := s.app.Append(0, l, p.Time, p.Value)
	s.quota.count(ref)
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
	for i := range s.verdicts {
		s.metrics.judged(&s.verdicts[i])
	}
	for reason, n := range s.skipped {
		s.metrics.rejectedSamples.WithLabelValues(reason).Add(float64(n))
	}
	s.metrics.remembered.Set(float64(s.decoder.Remembered()))
}

// Reasons of samples that are there already, or may be.
const (
	refusedDuplicate = "duplicate"
	refusedDisorder  = "out_of_order"
)

var errAhead = errors.New("sample lies ahead of the clock")

// refusal is the reason why history takes a sample never, or "" if err says that
// it takes none now.
func refusal(err error) string {
	switch {
	case errors.Is(err, errAhead):
		return "ahead"
	case errors.Is(err, errHostSeries):
		return "host_series"
	case errors.Is(err, errHostRate):
		return "host_rate"
	case errors.Is(err, errLabels):
		return "labels"
	case errors.Is(err, errLabelLength):
		return "label_length"
	case errors.Is(err, storage.ErrTooOldSample), errors.Is(err, storage.ErrOutOfBounds):
		return "too_old"
	case errors.Is(err, storage.ErrOutOfOrderSample):
		return refusedDisorder
	case errors.Is(err, storage.ErrDuplicateSampleForTimestamp):
		return refusedDuplicate
	case errors.Is(err, tsdb.ErrInvalidSample):
		return "invalid"
	}
	return ""
}
