package receive

import (
	"context"
	"crypto/rand"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"thump/internal/bus"
	"thump/internal/telemetry"
)

const (
	// messageSeries bounds the series of one message.
	messageSeries = 5000
	// maxHosts bounds the messages made of one request: of further hosts the series
	// go together, in messages that name no host.
	maxHosts = 64
	// inFlight bounds the messages of one request that wait for their confirm.
	inFlight = 32
)

// publisher sends series to the bus.
type publisher struct {
	// Static after construction.
	bus     bus.Bus
	metrics *metrics
	boot    string // names this start in message ids

	serial   atomic.Uint64
	encoders sync.Pool
}

func newPublisher(b bus.Bus, m *metrics) *publisher {
	return &publisher{bus: b, metrics: m, boot: "in-" + rand.Text()[:12], encoders: sync.Pool{New: func() any { return &telemetry.Encoder{} }}}
}

// all publishes some series and returns once the broker has confirmed them. After
// an error some may have been published: all of them are to be sent again.
func (p *publisher) all(ctx context.Context, way string, series []telemetry.Series) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(inFlight)
	for _, b := range batches(series) {
		g.Go(func() error { return p.send(ctx, way, b) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	n := 0
	for i := range series {
		n += len(series[i].Samples)
	}
	p.metrics.samples.WithLabelValues(way).Add(float64(n))
	return nil
}

func (p *publisher) send(ctx context.Context, way string, b *telemetry.Batch) error {
	b.Probe, b.Boot, b.Seq, b.Time = way, p.boot, p.serial.Add(1), time.Now()
	enc := p.encoders.Get().(*telemetry.Encoder)
	m := enc.Encode(b)
	p.encoders.Put(enc)
	return p.bus.Publish(ctx, telemetry.MetricsExchange, m)
}

// origin is what a series says of where it comes from.
type origin struct{ host, group string }

// batches puts the series of a host together.
func batches(series []telemetry.Series) (all []*telemetry.Batch) {
	open := map[origin]*telemetry.Batch{}
	for i := range series {
		from := originOf(&series[i])
		b := open[from]
		if b == nil && len(open) >= maxHosts {
			from = origin{}
			b = open[from]
		}
		if b == nil || len(b.Series) == messageSeries {
			b = &telemetry.Batch{Host: from.host, Group: from.group}
			open[from] = b
			all = append(all, b)
		}
		b.Series = append(b.Series, series[i])
	}
	return all
}

// hostLabels are the labels that name a host, the first that is there: of
// Prometheus, of Telegraf, and of OpenTelemetry's host.name.
var hostLabels = [...]string{"instance", "host", "host_name"}

func originOf(s *telemetry.Series) origin {
	for _, name := range hostLabels {
		if host := s.Get(name); host != "" {
			return origin{host, s.Get("group")}
		}
	}
	return origin{}
}
