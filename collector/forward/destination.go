package forward

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
	"github.com/prometheus/prometheus/prompb"
	"github.com/prometheus/prometheus/storage/remote"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/tsdb/record"
)

// startAgain is how long a destination waits after the log could not be read.
const startAgain = 5 * time.Second

// destination is one engine that is sent to. But for what New sets it belongs to
// the goroutine of run.
type destination struct {
	// Static after construction.
	name     string
	cfg      *config.RemoteWriteConfig
	external labels.Labels
	client   remote.WriteClient
	deps     *Deps
	log      *slog.Logger
	metrics  *metrics
	file     string // of the position

	position   position
	checkpoint int // whose series are known; -1: none
	series     map[chunks.HeadSeriesRef]*series
	decoder    record.Decoder
	wave       []record.RefSample // read and not yet sent
}

// series is what the destination gets to see of a series.
type series struct {
	labels  []prompb.Label // nil: relabelling drops it
	segment int            // in which it was last declared
}

// nameOf is the name of a destination in metrics and files.
func nameOf(rw *config.RemoteWriteConfig) string {
	if rw.Name != "" {
		return rw.Name
	}
	sum := sha256.Sum256([]byte(rw.URL.String()))
	return hex.EncodeToString(sum[:4])
}

func (f *Forwarder) destination(cfg *config.Config, rw *config.RemoteWriteConfig) (*destination, error) {
	name := nameOf(rw)
	client, err := remote.NewWriteClient(name, &remote.ClientConfig{
		URL: rw.URL, WriteProtoMsg: rw.ProtobufMessage, Timeout: rw.RemoteTimeout, HTTPClientConfig: rw.HTTPClientConfig,
		SigV4Config: rw.SigV4Config, AzureADConfig: rw.AzureADConfig, GoogleIAMConfig: rw.GoogleIAMConfig,
		Headers: rw.Headers, RetryOnRateLimit: rw.QueueConfig.RetryOnRateLimit, RoundRobinDNS: rw.RoundRobinDNS,
	})
	if err != nil {
		return nil, fmt.Errorf("forward to %s: %w", rw.URL.Redacted(), err)
	}
	sum := sha256.Sum256([]byte(name)) // a name may hold what no file name can
	return &destination{
		name: name, cfg: rw, external: cfg.GlobalConfig.ExternalLabels, client: client, deps: &f.deps,
		log:     f.deps.Logger.With("destination", name, "url", rw.URL.Redacted()),
		metrics: f.metrics, file: filepath.Join(f.deps.Dir, "forward-"+hex.EncodeToString(sum[:6])+".json"),
	}, nil
}

// run forwards until ctx ends.
func (d *destination) run(ctx context.Context) {
	for ctx.Err() == nil {
		err := d.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		d.log.Warn("forwarding begins again where it was", "err", err)
		pause(ctx, startAgain)
	}
}

// declare notes series of a segment.
func (d *destination) declare(declared []record.RefSeries, segment int) {
	for _, s := range declared {
		if known := d.series[s.Ref]; known != nil {
			known.segment = segment
			continue
		}
		d.series[s.Ref] = &series{labels: d.relabel(s.Labels), segment: segment}
	}
}

// relabel adds the external labels, which do not replace a series' own, and
// applies write_relabel_configs.
func (d *destination) relabel(l labels.Labels) []prompb.Label {
	b := labels.NewBuilder(l)
	d.external.Range(func(e labels.Label) {
		if !l.Has(e.Name) {
			b.Set(e.Name, e.Value)
		}
	})
	if !relabel.ProcessBuilder(b, d.cfg.WriteRelabelConfigs...) {
		return nil
	}
	return prompb.FromLabels(b.Labels(), nil)
}

// take puts samples into the wave, those that the destination is to get.
func (d *destination) take(samples []record.RefSample) {
	oldest := int64(0)
	if limit := time.Duration(d.cfg.QueueConfig.SampleAgeLimit); limit > 0 {
		oldest = time.Now().Add(-limit).UnixMilli()
	}
	for _, s := range samples {
		known := d.series[s.Ref]
		switch {
		case known == nil:
			d.drop("unknown_series", 1)
		case known.labels == nil:
			d.drop("relabelling", 1)
		case s.T < oldest:
			d.drop("sample_age_limit", 1)
		default:
			d.wave = append(d.wave, s)
		}
	}
}

func (d *destination) drop(reason string, n int) {
	d.metrics.dropped.WithLabelValues(d.name, reason).Add(float64(n))
}

// full tells whether the wave keeps all shards busy.
func (d *destination) full() bool {
	q := &d.cfg.QueueConfig
	return len(d.wave) >= q.MaxShards*q.MaxSamplesPerSend
}

func pause(ctx context.Context, wait time.Duration) {
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// within is a duration of the configuration.
func within(d model.Duration) time.Duration { return time.Duration(d) }
