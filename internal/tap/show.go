package tap

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"thump/internal/bus"
	"thump/internal/formats"
	"thump/internal/telemetry"
)

// shown is a batch as the channels carry it.
type shown struct {
	Key     string            `json:"key"` // first: shownPrefix tells our own voice by it
	Time    time.Time         `json:"time"`
	Headers map[string]string `json:"headers,omitempty"`
	Metrics []metric          `json:"metrics"`
}

// shownPrefix begins what a tap says, and no metric.
var shownPrefix = []byte(`{"key":`)

// metric has the names of the JSON that is taken in.
type metric struct {
	Name      string            `json:"name"`
	Labels    map[string]string `json:"labels,omitempty"`
	Value     any               `json:"value"` // a number, or "NaN", "+Inf", "-Inf"
	Timestamp int64             `json:"timestamp"`
}

// remembered is how many series the decoder knows again.
const remembered = 100_000

// show says what passes for as long as somebody listens.
func (t *Tap) show(ctx context.Context) error {
	for ctx.Err() == nil {
		heard, err := t.heard(ctx)
		if err != nil {
			return fmt.Errorf("ask who listens: %w", err)
		}
		if heard {
			if err := t.speak(ctx); err != nil {
				return err
			}
		}
		pause(ctx, every)
	}
	return ctx.Err()
}

// heard tells whether somebody but us listens. In a cluster each node knows of
// its own listeners alone: there one talks.
func (t *Tap) heard(ctx context.Context) (bool, error) {
	rdb := t.store.Redis()
	if _, ok := rdb.(*redis.ClusterClient); ok {
		return true, nil
	}
	patterns, err := rdb.PubSubNumPat(ctx).Result()
	if err != nil || patterns > 1 {
		return true, err
	}
	channels, err := rdb.PubSubChannels(ctx, Prefix+"*").Result()
	return len(channels) > 0, err
}

// speak says what passes until nobody listens any more.
func (t *Tap) speak(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := telemetry.Live()
	s.NoAck = true
	in, err := t.bus.Subscribe(ctx, s)
	if err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	decoder := telemetry.NewDecoder(remembered, formats.All()...)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case d, ok := <-in:
			if !ok {
				return ctx.Err()
			}
			if err := t.say(ctx, decoder, &d.Message); err != nil {
				return err
			}
		case <-tick.C:
			if heard, err := t.heard(ctx); err != nil || !heard {
				return err
			}
		}
	}
}

// say puts one batch on its channel.
func (t *Tap) say(ctx context.Context, decoder *telemetry.Decoder, m *bus.Message) error {
	if m.Headers[viaHeader] == viaChannel {
		return nil
	}
	out := shown{Key: m.Key, Time: m.Time, Headers: m.Headers, Metrics: []metric{}}
	err := decoder.Decode(m, func(r *telemetry.Run) error {
		out.add(r.Series(), r.Samples)
		return nil
	})
	if err != nil {
		return nil //nolint:nilerr // the subscribers reject it and say so
	}
	b, err := json.Marshal(out)
	if err != nil {
		return fmt.Errorf("encode a batch of %s: %w", m.Key, err)
	}
	if err := t.store.Redis().Publish(ctx, Prefix+m.Key, b).Err(); err != nil {
		return fmt.Errorf("publish on %s%s: %w", Prefix, m.Key, err)
	}
	t.metrics.shown.Inc()
	return nil
}

func (s *shown) add(series *telemetry.Series, samples []telemetry.Sample) {
	name, labels := "", make(map[string]string, len(series.Labels))
	for _, l := range series.Labels {
		if l.Name == telemetry.NameLabel {
			name = l.Value
		} else {
			labels[l.Name] = l.Value
		}
	}
	for _, p := range samples {
		s.Metrics = append(s.Metrics, metric{Name: name, Labels: labels, Value: number(p.Value), Timestamp: p.Time})
	}
}

// number is a value as JSON can say it.
func number(v float64) any {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return v
}
