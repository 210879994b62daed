package agent

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"thump/agent/probe"
	"thump/agent/spool"
	"thump/internal/vfs"
)

// BenchmarkRound is one run of every probe of the default template: measured,
// encoded, spooled on this disk, confirmed and marked done.
func BenchmarkRound(b *testing.B) {
	cfg := DefaultConfig()
	if err := cfg.check(); err != nil {
		b.Fatal(err)
	}
	probes, err := probe.All(probe.Options{})
	if err != nil {
		b.Fatal(err)
	}
	sp, err := spool.Open(b.TempDir(), spool.Options{FS: vfs.OS{}, MaxBytes: 256 << 20, Logger: silent})
	if err != nil {
		b.Fatal(err)
	}
	m := newMetrics(prometheus.NewRegistry(), sp.Stats)
	p := newPublisher(newScripted(true), sp, 50, silent, m)
	out := newOutbox(&cfg, sp, p)
	var runners []*runner
	applied := func() standing { return standing{} }
	tasks, _ := newToolbox(&cfg, append(probes, &self{"", sp.Stats, m.allSkipped.Load, applied})).tasks(cfg.Template)
	for _, t := range tasks {
		runners = append(runners, &runner{task: t, order: order{interval: t.interval}, out: out, log: silent, metrics: m, sink: probe.NewSink(cfg.common())})
	}
	series, bytes := 0, 0
	before, err := cpuSeconds()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		series, bytes = 0, 0
		for _, r := range runners {
			r.once(b.Context())
			it := <-p.fresh
			sp.Done(it.ref)
			series += len(r.sink.Series())
			bytes += len(it.message.Body)
		}
	}
	after, err := cpuSeconds()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric((after-before)*1e6/float64(b.N), "cpu-µs/op")
	b.ReportMetric(float64(series), "series/op")
	b.ReportMetric(float64(bytes), "body-bytes/op")
	b.StopTimer()
	if err := sp.Close(); err != nil {
		b.Fatal(err)
	}
}
