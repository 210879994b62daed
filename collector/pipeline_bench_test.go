package collector_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"thump/broker"
	"thump/collector"
	"thump/internal/bus"
	"thump/internal/telemetry"
)

// BenchmarkPipeline takes batches of 500 series from each of 200 hosts through the
// built-in broker, persistent and confirmed, into history: all in one process, the
// publishing client's part included, the encoding of batches left out.
func BenchmarkPipeline(b *testing.B) {
	const hosts, series = 200, 500
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	cfg := broker.DefaultConfig()
	cfg.DataDir, cfg.AMQP = b.TempDir(), []string{"127.0.0.1:0"}
	srv, err := broker.New(cfg, broker.Deps{Logger: log, Registerer: prometheus.NewRegistry()})
	if err != nil {
		b.Fatal(err)
	}
	inBackground(b, srv.Run)
	open := func(name string) bus.Bus {
		link, err := bus.Open(bus.Config{URLs: []string{"amqp://guest:guest@" + srv.Addr().String() + "/"}},
			bus.Options{Name: name, Topology: telemetry.Topology(), Logger: log, Registerer: prometheus.NewRegistry()})
		if err != nil {
			b.Fatal(err)
		}
		inBackground(b, link.Run)
		if err := link.Ready(b.Context()); err != nil {
			b.Fatal(err)
		}
		return link
	}
	reg := prometheus.NewRegistry()
	ccfg := collector.DefaultConfig()
	ccfg.DataDir, ccfg.MinFree, ccfg.Receive.Fleets = b.TempDir(), 0, false
	c, err := collector.New(ccfg, collector.Deps{Bus: open("collector"), Logger: log, Registerer: reg})
	if err != nil {
		b.Fatal(err)
	}
	inBackground(b, c.Run)
	agents := open("agents")

	batches := make([]*telemetry.Batch, hosts)
	for i := range batches {
		batches[i] = hostBatch(fmt.Sprintf("host-%04d", i), series)
	}
	enc, at := telemetry.Encoder{}, time.Now().Add(-time.Hour)
	var before, encoding time.Duration
	for n := 0; b.Loop(); n++ {
		if n == 1 { // the series are there
			before, encoding = cpuTime(), 0
		}
		began := cpuTime()
		round := make([]*bus.Message, hosts)
		for i, batch := range batches {
			advance(batch, at.Add(time.Duration(n)*time.Second), n)
			round[i] = enc.Encode(batch)
		}
		encoding += cpuTime() - began
		var wg sync.WaitGroup
		for _, m := range round {
			wg.Go(func() {
				if err := agents.Publish(b.Context(), telemetry.MetricsExchange, m); err != nil {
					b.Error(err)
				}
			})
		}
		wg.Wait()
		for deadline := time.Now().Add(20 * time.Second); appended(reg) < float64((n+1)*hosts*series); {
			if time.Now().After(deadline) {
				b.Fatal("not all of it arrived")
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	b.ReportMetric(float64(b.N-1)*hosts*series/(cpuTime()-before-encoding).Seconds(), "samples/CPU-s")
}

func inBackground(b *testing.B, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
}

// appended is how many samples history has taken.
func appended(reg *prometheus.Registry) float64 {
	families, err := reg.Gather()
	if err != nil {
		return 0
	}
	for _, f := range families {
		if f.GetName() == "thump_collector_samples_appended_total" {
			return f.Metric[0].GetCounter().GetValue()
		}
	}
	return 0
}
