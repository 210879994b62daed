package forward

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/klauspost/compress/snappy"
	"github.com/prometheus/prometheus/prompb"
	"github.com/prometheus/prometheus/storage/remote"
	"github.com/prometheus/prometheus/tsdb/record"
	"golang.org/x/sync/errgroup"
)

// send sends the wave, which ends at a position, and keeps that once all of it
// is taken. An error is that of ctx, or of the disk.
func (d *destination) send(ctx context.Context, end position) error {
	if len(d.wave) == 0 {
		return nil
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, shard := range d.shards() {
		g.Go(func() error { return d.deliver(ctx, shard) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	d.wave = d.wave[:0]
	// The destination has said that it has all before: only now.
	return d.reach(end)
}

// reach keeps a position that is further than the one before.
func (d *destination) reach(p position) error {
	d.position = p
	return p.write(d.deps.FS, d.file)
}

// shards parts the wave by series, for requests at the same time: the samples of
// one series stay in their order.
func (d *destination) shards() [][]record.RefSample {
	q := &d.cfg.QueueConfig
	n := min(max(q.MinShards, len(d.wave)/q.MaxSamplesPerSend), q.MaxShards)
	shards := make([][]record.RefSample, n)
	for _, s := range d.wave {
		i := uint64(s.Ref) % uint64(n)
		shards[i] = append(shards[i], s)
	}
	return shards
}

// deliver sends one shard, request by request.
func (d *destination) deliver(ctx context.Context, samples []record.RefSample) error {
	for part := range slices.Chunk(samples, d.cfg.QueueConfig.MaxSamplesPerSend) {
		body, err := d.encode(part)
		if err != nil {
			return err
		}
		if err := d.store(ctx, body, len(part)); err != nil {
			return err
		}
	}
	return nil
}

// encode makes a Remote-Write 1.0 request of samples, which it sorts by series.
func (d *destination) encode(samples []record.RefSample) ([]byte, error) {
	slices.SortStableFunc(samples, func(a, b record.RefSample) int { return cmp.Compare(a.Ref, b.Ref) })
	var req prompb.WriteRequest
	for i, s := range samples {
		if i == 0 || s.Ref != samples[i-1].Ref {
			req.Timeseries = append(req.Timeseries, prompb.TimeSeries{Labels: d.series[s.Ref].labels})
		}
		last := &req.Timeseries[len(req.Timeseries)-1]
		last.Samples = append(last.Samples, prompb.Sample{Timestamp: s.T, Value: s.V})
	}
	body, err := req.Marshal()
	if err != nil {
		return nil, fmt.Errorf("encode a request: %w", err)
	}
	return snappy.Encode(nil, body), nil
}

// store makes one request until it is answered for good; an error is that of
// ctx. What the destination refuses for good is counted.
func (d *destination) store(ctx context.Context, body []byte, samples int) error {
	q := &d.cfg.QueueConfig
	wait := within(q.MinBackoff)
	for attempt := 0; ; attempt++ {
		_, err := d.client.Store(ctx, body, attempt)
		var recoverable remote.RecoverableError
		switch {
		case err == nil:
			d.metrics.sent.WithLabelValues(d.name).Add(float64(samples))
			if attempt > 0 {
				d.log.Info("destination takes samples again")
			}
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case !errors.As(err, &recoverable):
			d.drop("refused", samples)
			d.log.Error("destination refuses samples for good", "samples", samples, "err", err)
			return nil
		}
		d.metrics.retries.WithLabelValues(d.name).Inc()
		if attempt == 0 {
			d.log.Warn("destination takes no samples, they wait in the log of history", "err", err)
		}
		pause(ctx, wait)
		wait = min(2*wait, within(q.MaxBackoff))
	}
}
