package alerting

import (
	"context"
	"crypto/rand"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"

	"thump/alerting/store"
	"thump/internal/bus"
	"thump/internal/telemetry"
)

const (
	// recordedProbe is the probe in the header of a batch of what rules wrote; it
	// names no host, so that it is a sign of life of none.
	recordedProbe = "alerting"

	recordedBatch = 5_000   // samples of one message, at most
	recordedBound = 200_000 // samples that wait for the broker, at most; beyond it new ones are dropped

	// recordedAgain is how often a series that does not change is published.
	recordedAgain = 15 * time.Second
	// recordedGap is the time between two values of a series that does: groups are
	// evaluated ten times a second if need be, and history does not need that.
	recordedGap = time.Second
)

// recorder is the rules' storage. What they write (recorded series, ALERTS and
// ALERTS_FOR_STATE) it stores, and publishes, so that history has it too.
type recorder struct {
	// Static after construction.
	*store.Store
	bus     bus.Bus
	log     *slog.Logger
	metrics *metrics
	leads   func() bool // this is the instance that publishes
	woken   chan struct{}

	mu      sync.Mutex
	said    map[uint64]said    // by the hash of the labels; guarded by mu
	waiting []telemetry.Series // guarded by mu
}

// said is what was published last of a series.
type said struct {
	time  int64 // Unix milliseconds
	value float64
}

func newRecorder(s *store.Store, b bus.Bus, leads func() bool, log *slog.Logger, m *metrics) *recorder {
	return &recorder{Store: s, bus: b, log: log, metrics: m, leads: leads, woken: make(chan struct{}, 1), said: map[uint64]said{}}
}

// Appender implements storage.Appendable.
func (r *recorder) Appender(ctx context.Context) storage.Appender {
	return &recording{Appender: r.Store.Appender(ctx), recorder: r}
}

// recording is one append of a rule.
type recording struct {
	storage.Appender
	recorder *recorder
	written  []written
}

type written struct {
	labels labels.Labels
	said
}

// Append implements storage.Appender.
func (a *recording) Append(ref storage.SeriesRef, l labels.Labels, t int64, v float64) (storage.SeriesRef, error) {
	ref, err := a.Appender.Append(ref, l, t, v)
	if err == nil {
		a.written = append(a.written, written{l, said{t, v}})
	}
	return ref, err
}

// Commit implements storage.Appender.
func (a *recording) Commit() error {
	if err := a.Appender.Commit(); err != nil {
		return err
	}
	if len(a.written) > 0 {
		a.recorder.offer(a.written)
	}
	return nil
}

// offer takes what a rule has written. It does not block.
func (r *recorder) offer(all []written) {
	leads := r.leads()
	r.mu.Lock()
	for _, w := range all {
		if r.news(w) && leads {
			r.enqueue(w)
		}
	}
	r.mu.Unlock()
	select {
	case r.woken <- struct{}{}:
	default: // the wake-up that waits is for these too
	}
}

// news tells whether a sample is worth publishing. The caller holds mu.
func (r *recorder) news(w written) bool {
	hash := w.labels.Hash()
	last, known := r.said[hash]
	age := time.Duration(w.time-last.time) * time.Millisecond
	switch {
	case value.IsStaleNaN(w.value):
		delete(r.said, hash)
		return known
	case known && age < recordedGap:
		return false
	case known && age < recordedAgain && math.Float64bits(last.value) == math.Float64bits(w.value):
		return false
	}
	r.said[hash] = w.said
	return true
}

func (r *recorder) enqueue(w written) {
	if len(r.waiting) >= recordedBound {
		r.metrics.recorded.WithLabelValues("dropped").Inc()
		return
	}
	s := telemetry.Series{
		Labels:  make([]telemetry.Label, 0, w.labels.Len()),
		Samples: []telemetry.Sample{{Time: w.time, Value: w.value}},
	}
	w.labels.Range(func(l labels.Label) {
		s.Labels = append(s.Labels, telemetry.Label{Name: l.Name, Value: l.Value})
	})
	r.waiting = append(r.waiting, s)
}

// run publishes until ctx ends.
func (r *recorder) run(ctx context.Context) error {
	var encoder telemetry.Encoder
	boot := rand.Text()
	for seq := uint64(1); ; seq++ {
		batch := r.next(ctx)
		if len(batch) == 0 {
			return nil
		}
		m := encoder.Encode(&telemetry.Batch{Probe: recordedProbe, Boot: boot, Seq: seq, Time: time.Now(), Series: batch})
		m.Key = telemetry.Key("thump", "rules", recordedProbe)
		if deliver(ctx, r.bus, telemetry.MetricsExchange, m) {
			r.metrics.recorded.WithLabelValues("published").Add(float64(len(batch)))
		}
	}
}

// next waits for a batch; it is empty once ctx has ended.
func (r *recorder) next(ctx context.Context) []telemetry.Series {
	for {
		r.mu.Lock()
		n := min(len(r.waiting), recordedBatch)
		batch := r.waiting[:n:n]
		if r.waiting = r.waiting[n:]; len(r.waiting) == 0 {
			r.waiting = nil // and the memory with it
		}
		r.mu.Unlock()
		if n > 0 {
			return batch
		}
		select {
		case <-ctx.Done():
			return nil
		case <-r.woken:
		}
	}
}

// ours tells whether a message carries what rules wrote, here or in another
// instance: each has its own.
func ours(from telemetry.Origin) bool { return from.Host == "" && from.Probe == recordedProbe }
