package alerting

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"golang.org/x/time/rate"

	"thump/alerting/rules"
	"thump/alerting/store"
	"thump/internal/bus"
	"thump/internal/control"
	"thump/internal/formats"
	"thump/internal/telemetry"
)

const (
	batchMessages = 256 // stored with one write, at most
	prefetch      = 2 * batchMessages
	storeRetry    = time.Second // pause before what could not be stored is tried again

	// remembered is how many series the decoder remembers, read by rules or not.
	remembered = 1_000_000
)

// ingest takes messages from the queue into the store. All of it is owned by run.
type ingest struct {
	bus      bus.Bus
	queue    string
	log      *slog.Logger
	rejected rate.Sometimes // logs of messages that cannot be decoded
	metrics  *metrics
	store    *store.Store
	engine   *rules.Engine
	decoder  *telemetry.Decoder
	interest interest
	hosts    hosts
	linked   bool      // there was a link to the broker when that was said last
	linkSaid time.Time // when it was

	// Of the batch being gathered.
	samples []store.Sample
	touched map[string]rules.Hosts // of which there is one, by the group that reads it
	unread  int
}

func newIngest(ctx context.Context, a *Alerting) (*ingest, error) {
	in := &ingest{
		bus: a.bus, queue: a.cfg.queue(), log: a.log, metrics: a.metrics, store: a.store, engine: a.rules,
		rejected: rate.Sometimes{First: 1, Interval: 10 * time.Second},
		decoder:  telemetry.NewDecoder(remembered, formats.All()...),
		touched:  map[string]rules.Hosts{},
	}
	now := time.Now()
	in.hosts = newHosts(now)
	if err := in.hosts.seed(ctx, a.store, now); err != nil {
		return nil, fmt.Errorf("take up the hosts known before: %w", err)
	}
	return in, nil
}

// run consumes until ctx ends.
func (in *ingest) run(ctx context.Context) error {
	sub := bus.Subscription{Queue: in.queue, Exclusive: true, Prefetch: prefetch}
	deliveries, err := in.bus.Subscribe(ctx, sub)
	if err != nil {
		return fmt.Errorf("consume %s: %w", in.queue, err)
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case d, ok := <-deliveries:
			if !ok { // ctx has ended
				return nil
			}
			in.take(ctx, d, deliveries)
		case <-tick.C:
			in.watch(ctx, time.Now())
		}
	}
}

// take stores a message and what waits behind it, acknowledges, and wishes for
// the evaluation of what it touched.
func (in *ingest) take(ctx context.Context, first *bus.Delivery, more <-chan *bus.Delivery) {
	var last *bus.Delivery
	taken, decoded := 0, 0
	for d := first; d != nil; d = another(more, taken) {
		taken++
		if in.decode(d) {
			last = d
			decoded++
		}
	}
	if taken == batchMessages {
		// Behind: who has reported meanwhile is not known.
		in.hosts.roster.Resume(time.Now())
	}
	if !in.flush(ctx, rules.Arrival) || last == nil {
		return
	}
	// The samples are in the write-ahead log: only now.
	if err := last.Ack(true); err != nil {
		in.log.Debug("not acknowledged, comes again", "err", err)
		return
	}
	in.metrics.messages.WithLabelValues("acknowledged").Add(float64(decoded))
}

// another returns a delivery that is there already and fits the batch.
func another(more <-chan *bus.Delivery, taken int) *bus.Delivery {
	if taken == batchMessages {
		return nil
	}
	select {
	case d := <-more:
		return d
	default:
		return nil
	}
}

// decode gathers what the rules read of a message. One that cannot be decoded it
// rejects.
func (in *ingest) decode(d *bus.Delivery) bool {
	in.interest.use(in.engine.Set())
	from := telemetry.OriginOf(&d.Message)
	switch {
	case ours(from):
		return true
	case d.Type == control.RetiredType:
		return in.retire(d)
	}
	var up labels.Labels
	err := in.decoder.Decode(&d.Message, func(r *telemetry.Run) error {
		w := in.interest.of(r)
		if w != nil && w.up != "" && w.up == from.Host {
			up = w.series.Labels
		}
		in.gather(w, r.Samples)
		return nil
	})
	if err != nil {
		in.reject(d, from, err)
		return false
	}
	for reason, n := range in.decoder.Skipped() {
		in.metrics.skipped.WithLabelValues(reason).Add(float64(n))
	}
	in.notice(d, from, up)
	return true
}

func (in *ingest) gather(w *wanted, samples []telemetry.Sample) {
	if w == nil {
		in.unread += len(samples)
		return
	}
	for _, p := range samples {
		in.samples = append(in.samples, store.Sample{Series: &w.series, Time: p.Time, Value: p.Value})
	}
	for _, g := range w.groups {
		if in.touched[g] == nil {
			in.touched[g] = rules.Hosts{}
		}
		in.touched[g][w.host] = true
	}
}

func (in *ingest) reject(d *bus.Delivery, from telemetry.Origin, why error) {
	in.metrics.messages.WithLabelValues("rejected").Inc()
	in.rejected.Do(func() {
		in.log.Warn("message rejected", "err", why, "from", from, "key", d.Key, "content_type", d.ContentType)
	})
	if err := d.Reject(); err != nil {
		in.log.Debug("not rejected, comes again", "err", err)
	}
}

// flush stores what was gathered and wishes for its evaluation. It tries until
// that succeeds, and is false only if ctx ended before.
func (in *ingest) flush(ctx context.Context, c rules.Cause) bool {
	for len(in.samples) > 0 {
		o, err := in.store.Append(ctx, in.samples)
		if err == nil {
			in.count(o)
			break
		}
		in.metrics.failures.Inc()
		in.hosts.cut = true // meanwhile nobody is heard
		in.log.Error("samples not stored, trying again", "err", err)
		select {
		case <-ctx.Done():
			return false
		case <-time.After(storeRetry):
		}
	}
	in.metrics.skipped.WithLabelValues("unread").Add(float64(in.unread))
	if c == rules.Arrival {
		in.engine.Arrived(in.touched)
	} else {
		in.engine.Wish(c, slices.Collect(maps.Keys(in.touched))...)
	}
	in.samples, in.unread = in.samples[:0], 0
	clear(in.touched)
	return true
}

func (in *ingest) count(o store.Outcome) {
	in.metrics.stored.Add(float64(o.Stored))
	in.metrics.ahead.Add(float64(o.Ahead))
	in.metrics.skipped.WithLabelValues("late").Add(float64(o.Late))
	in.metrics.skipped.WithLabelValues("repeated").Add(float64(o.Repeat))
}
