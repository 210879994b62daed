package collector_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"thump/internal/bus"
	"thump/internal/telemetry"
)

// BenchmarkIngest takes batches of 500 series from each of 200 hosts, one sample
// per series, from the message to the acknowledgement.
func BenchmarkIngest(b *testing.B) {
	const hosts, series = 200, 500
	m := newMemoryBus()
	c := newCollector(b, b.TempDir(), m, prometheus.NewRegistry())
	stop := run(b, c)
	defer stop()

	batches := make([]*telemetry.Batch, hosts)
	for i := range batches {
		batches[i] = hostBatch(fmt.Sprintf("host-%04d", i), series)
	}
	enc := telemetry.Encoder{}
	at := time.Now().Add(-time.Hour)
	var cpu, encoding time.Duration
	b.ReportAllocs()
	var before time.Duration
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
		m.publishAll(round)
		m.waitAcked(b, (n+1)*hosts)
	}
	cpu = cpuTime() - before - encoding
	b.ReportMetric(float64(b.N-1)*hosts*series/cpu.Seconds(), "samples/CPU-s")
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// hostBatch is a batch with the labels that an agent's have.
func hostBatch(host string, series int) *telemetry.Batch {
	b := &telemetry.Batch{Host: host, Group: "web", Probe: "cpu", Interval: 15 * time.Second, Boot: "b"}
	modes := []string{"idle", "iowait", "irq", "nice", "softirq", "steal", "system", "user"}
	for i := range series {
		b.Series = append(b.Series, telemetry.Series{
			Labels: []telemetry.Label{
				{Name: "__name__", Value: fmt.Sprintf("node_cpu_%d_seconds_total", i/64)},
				{Name: "cpu", Value: fmt.Sprint(i / 8 % 8)},
				{Name: "group", Value: "web"},
				{Name: "instance", Value: host},
				{Name: "job", Value: "node"},
				{Name: "mode", Value: modes[i%8]},
			},
			Type: telemetry.Counter, Help: "Seconds the CPUs spent in each mode.", Unit: "seconds",
			Samples: make([]telemetry.Sample, 1),
		})
	}
	return b
}

// advance sets the samples of a batch to those of its n-th run.
func advance(b *telemetry.Batch, at time.Time, n int) {
	b.Seq, b.Time = uint64(n), at
	for i := range b.Series {
		b.Series[i].Samples[0] = telemetry.Sample{Time: at.UnixMilli(), Value: float64(n*(i%8)) * 0.01}
	}
}
