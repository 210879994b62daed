package main

import (
	"context"
	"fmt"
	"log"
	"math/rand/v2"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"thump/internal/telemetry"
)

// warmUp is how many intervals of the load pass before it is measured: all hosts
// are known then.
const warmUp = 2

// underLoad publishes for all hosts, measures again, and what alerting takes.
func (b *bench) underLoad(ctx context.Context) error {
	rounds := warmUp + int(*length / *interval) + 4
	log.Printf("preparing %d batches", rounds**hosts)
	l := prepare(rounds)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	sent := make(chan error, 1)
	go func() { sent <- l.publish(ctx, b.broker) }()
	time.Sleep(time.Until(l.start.Add(warmUp * *interval)))
	from, cpu, broker := time.Now(), seconds(b.alerting), seconds(b.children[0])
	n := max(10, int(*length/(1500*time.Millisecond)))
	took := b.measure(ctx, n, b.publish, 500*time.Millisecond)
	wall := time.Since(from).Seconds()
	cpu, broker = seconds(b.alerting)-cpu, seconds(b.children[0])-broker
	if len(sent) > 0 {
		log.Print("the load had ended before the measurement")
	}
	cancel()
	if err := <-sent; err != nil {
		return fmt.Errorf("publish the load: %w", err)
	}
	report(fmt.Sprintf("thump, %d hosts × %d series, %d rules", *hosts, seriesPerHost, rulesLoaded), took)
	fmt.Printf("  alerting: %.1f CPU s in %.0f s = %.0f %% of a core; broker: %.0f %%; published: %.0f batches/s, the last %v late\n",
		cpu, wall, 100*cpu/wall, 100*broker/wall, float64(*hosts)/interval.Seconds(), l.late.Round(time.Millisecond))
	return nil
}

// load is the batches of all hosts, made before they are needed, so that what
// publishes them costs little of what is measured beside it.
type load struct {
	start   time.Time
	step    time.Duration // between two batches
	batches []prepared    // in the order of their time
	late    time.Duration // of the last that was published
}

type prepared struct {
	key     string
	message amqp.Publishing
}

// preparing is how long it takes to make a batch, at most.
const preparing = 500 * time.Microsecond

func prepare(rounds int) *load {
	l := &load{step: *interval / time.Duration(*hosts)}
	n := rounds * *hosts
	l.start = time.Now().Add(time.Duration(n) * preparing)
	var enc telemetry.Encoder
	for i := range n {
		m := enc.Encode(batch(i%*hosts, i / *hosts, l.start.Add(time.Duration(i)*l.step)))
		headers := amqp.Table{}
		for k, v := range m.Headers {
			headers[k] = v
		}
		l.batches = append(l.batches, prepared{m.Key, amqp.Publishing{
			ContentType: m.ContentType, ContentEncoding: m.ContentEncoding, DeliveryMode: amqp.Persistent,
			MessageId: m.ID, Timestamp: m.Time, Type: m.Type, Headers: headers, Body: m.Body,
		}})
	}
	return l
}

func batch(host, round int, at time.Time) *telemetry.Batch {
	name := fmt.Sprintf("host%05d", host)
	out := &telemetry.Batch{Host: name, Group: "g", Probe: "load", Interval: *interval, Boot: name, Seq: uint64(round + 1), Time: at}
	for i := range seriesPerHost {
		out.Series = append(out.Series, telemetry.Series{
			Labels:  []telemetry.Label{{Name: "__name__", Value: fmt.Sprintf("load_%d", i)}, {Name: "group", Value: "g"}, {Name: "instance", Value: name}, {Name: "job", Value: "node"}},
			Samples: []telemetry.Sample{{Time: at.UnixMilli(), Value: rand.Float64() + 1}},
		})
	}
	return out
}

// publish publishes each batch at its time, until ctx ends.
func (l *load) publish(ctx context.Context, url string) error {
	c, err := amqp.Dial(url)
	if err != nil {
		return err
	}
	defer c.Close()
	ch, err := c.Channel()
	if err != nil {
		return err
	}
	for i, p := range l.batches {
		due := l.start.Add(time.Duration(i) * l.step)
		if wait := time.Until(due); wait > 0 {
			time.Sleep(max(wait, time.Millisecond)) // a few at once rather than a wake-up for each
		}
		if ctx.Err() != nil {
			return nil
		}
		l.late = time.Since(due)
		if err := ch.PublishWithContext(ctx, telemetry.MetricsExchange, p.key, false, false, p.message); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}
