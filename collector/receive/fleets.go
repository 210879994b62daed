package receive

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/time/rate"

	"thump/internal/bus"
	"thump/internal/formats"
	"thump/internal/telemetry"
)

const (
	// fleetPrefetch bounds the messages of one queue that are published together.
	fleetPrefetch = 128

	firstBackoff = 100 * time.Millisecond
	lastBackoff  = 10 * time.Second
)

// fleet moves what a queue of others brings to thump.metrics. A message is
// acknowledged once the broker has confirmed its samples there: after a failure
// in between it comes again and is published again, with the same times and
// values, which history takes once.
type fleet struct {
	// Static after construction.
	queue, way string
	assume     func(*bus.Message) // says what the sender leaves out
	bus        bus.Bus
	log        *slog.Logger
	metrics    *metrics
	publish    *publisher
	logged     rate.Sometimes

	decoder *telemetry.Decoder // owned by run
}

func (r *Receiver) fleets() []*fleet {
	telegraf := func(m *bus.Message) {
		if m.ContentType == "" {
			m.ContentType = "text/plain"
		}
	}
	otlp := func(m *bus.Message) {
		if m.ContentType == "" || m.ContentType == jsonType {
			m.ContentType, m.Key = "", formats.RoutingKey
		}
	}
	all := []*fleet{{queue: telemetry.TelegrafQueue, way: "telegraf", assume: telegraf}, {queue: telemetry.OTLPQueue, way: "otlp_queue", assume: otlp}}
	for _, f := range all {
		f.bus, f.log, f.metrics, f.publish = r.bus, r.log, r.metrics, r.publish
		f.logged = rate.Sometimes{First: 1, Interval: 10 * time.Second}
		f.decoder = telemetry.NewDecoder(0, formats.All()...)
	}
	return all
}

// run consumes until ctx ends.
func (f *fleet) run(ctx context.Context) error {
	deliveries, err := f.bus.Subscribe(ctx, bus.Subscription{Queue: f.queue, Prefetch: fleetPrefetch})
	if err != nil {
		return fmt.Errorf("subscribe to %s: %w", f.queue, err)
	}
	for d := range deliveries {
		f.move(ctx, d, deliveries)
	}
	return nil
}

// move publishes what a message and those ready behind it bring, and acknowledges
// them.
func (f *fleet) move(ctx context.Context, d *bus.Delivery, more <-chan *bus.Delivery) {
	var content telemetry.Content
	var rejected []*bus.Message
	last := d
	for n := 0; d != nil; d = following(more, n) {
		n++
		last = d
		if err := f.decode(d, &content); err != nil {
			rejected = append(rejected, &d.Message)
			f.logged.Do(func() {
				f.log.Warn("message rejected", "queue", f.queue, "key", d.Key, "content_type", d.ContentType, "err", err)
			})
		}
	}
	f.metrics.skip(f.way, content.Skipped)
	if !f.persist(ctx, func() error { return f.hand(ctx, content.Series, rejected) }) {
		return
	}
	// Confirmed by the broker: only now. What is not acknowledged comes again.
	if err := last.Ack(true); err != nil {
		f.log.Debug("acknowledge messages", "queue", f.queue, "err", err)
	}
}

// following returns a delivery that is there already and fits in with n others.
func following(more <-chan *bus.Delivery, n int) *bus.Delivery {
	if n == fleetPrefetch {
		return nil
	}
	select {
	case d := <-more:
		return d
	default:
		return nil
	}
}

// decode adds what a message brings to content.
func (f *fleet) decode(d *bus.Delivery, content *telemetry.Content) error {
	m := d.Message
	f.assume(&m)
	err := f.decoder.Decode(&m, func(r *telemetry.Run) error {
		s := *r.Series()
		s.Labels, s.Samples = append([]telemetry.Label(nil), s.Labels...), append([]telemetry.Sample(nil), s.Samples...)
		content.Series = append(content.Series, s)
		return nil
	})
	for reason, n := range f.decoder.Skipped() {
		for range n {
			content.Skip(reason)
		}
	}
	return err
}

// hand publishes series, and what could not be read to the queue of rejected
// messages: by its name, since otlp_metrics may have been declared by others,
// without a dead-letter queue.
func (f *fleet) hand(ctx context.Context, series []telemetry.Series, rejected []*bus.Message) error {
	ctx, cancel := context.WithTimeout(ctx, confirmWait)
	defer cancel()
	if err := f.publish.all(ctx, f.way, series); err != nil {
		return err
	}
	for _, m := range rejected {
		m.Key = telemetry.RejectedQueue
		if err := f.bus.Publish(ctx, "", m); err != nil {
			return err
		}
	}
	f.metrics.rejected.WithLabelValues(f.queue).Add(float64(len(rejected)))
	return nil
}

// persist tries until it succeeds; false means that ctx ended before.
func (f *fleet) persist(ctx context.Context, try func() error) bool {
	for wait := firstBackoff; ; wait = min(2*wait, lastBackoff) {
		err := try()
		if err == nil {
			return true
		}
		f.metrics.failures.WithLabelValues(f.queue).Inc()
		if wait == lastBackoff {
			f.log.Error("messages cannot be published and wait in their queue", "queue", f.queue, "err", err)
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(wait):
		}
	}
}
