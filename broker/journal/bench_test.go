package journal_test

import (
	"fmt"
	"runtime"
	"sync"
	"testing"

	"thump/broker/journal"
)

// BenchmarkConfirm appends messages of 1 KiB and waits for each to be durable, on the real disk.
func BenchmarkConfirm(b *testing.B) {
	for _, publishers := range []int{1, 64} {
		b.Run(fmt.Sprintf("publishers=%d", publishers), func(b *testing.B) {
			j, err := journal.Open(b.TempDir(), journal.Options{})
			must(b, err)
			body := make([]byte, 1024)
			var wait sync.WaitGroup
			b.ReportAllocs()
			b.ResetTimer()
			for p := range publishers {
				wait.Go(func() {
					c := make(waiter, 1)
					for i := p; i < b.N; i += publishers {
						id, err := j.Append([]uint64{1}, nil, body)
						if err != nil {
							b.Error(err)
							return
						}
						j.Watch(id, c)
						<-c
					}
				})
			}
			wait.Wait()
			st := j.Stats()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
			b.ReportMetric(float64(st.Syncs)/b.Elapsed().Seconds(), "sync/s")
			b.ReportMetric(float64(st.SyncTime.Microseconds())/float64(st.Syncs), "µs/sync")
			must(b, j.Close())
		})
	}
}

// BenchmarkStream appends messages of 1 KiB as one publisher with a wide confirm window does, and lets the queue finish them.
func BenchmarkStream(b *testing.B) {
	j, err := journal.Open(b.TempDir(), journal.Options{})
	must(b, err)
	body := make([]byte, 1024)
	b.SetBytes(1024)
	b.ReportAllocs()
	for b.Loop() {
		id, err := j.Append([]uint64{1}, nil, body)
		must(b, err)
		if id > 1000 {
			must(b, j.Done(1, id-1000))
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
	must(b, j.Close())
}

// BenchmarkOpen opens a journal of a million waiting messages of 1 KiB, in the page cache, and reports the memory it keeps for each.
func BenchmarkOpen(b *testing.B) {
	const messages = 1_000_000
	folder := b.TempDir()
	j, err := journal.Open(folder, journal.Options{NoSync: true})
	must(b, err)
	body := make([]byte, 1024)
	for range messages {
		_, err := j.Append([]uint64{1}, nil, body)
		must(b, err)
	}
	must(b, j.Close())
	b.ReportAllocs()
	for b.Loop() {
		before := heap()
		j, err := journal.Open(folder, journal.Options{})
		must(b, err)
		if n := len(j.Recovered(1)); n != messages {
			b.Fatalf("%d messages", n)
		}
		b.StopTimer()
		b.ReportMetric(float64(heap()-before)/messages, "B/message")
		must(b, j.Close())
		b.StartTimer()
	}
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
