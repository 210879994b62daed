package bus_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"thump/internal/bus"
	"thump/internal/bus/redis"
	"thump/internal/bus/redis/streams"
	server "thump/test/redis"
)

// TestRedis runs the contract against a real Redis: the one of THUMP_TEST_REDIS,
// or else one of its own.
func TestRedis(t *testing.T) {
	url := os.Getenv("THUMP_TEST_REDIS")
	if url == "" {
		url = server.Start(t).URL()
	}
	contract(t, url)
}

// TestRedisKilled kills the server while messages pass: what was confirmed
// arrives, and the bus goes on by itself.
func TestRedisKilled(t *testing.T) {
	s := server.Start(t)
	f := newFixture(t, s.URL())
	ctx, cancel := context.WithCancel(t.Context())
	confirmed := make(chan int, 100_000)
	var publishing sync.WaitGroup
	publishing.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			if f.bus.Publish(ctx, f.name("in"), &bus.Message{Body: fmt.Append(nil, i)}) == nil {
				confirmed <- i
			} else {
				pause(ctx, 20*time.Millisecond)
			}
		}
	})
	c := subscribe(t, t.Context(), f.connect(t), bus.Subscription{Queue: f.name("a"), Exclusive: true})
	got := map[int]bool{}
	take := func() {
		d := next(t, c)
		n, err := strconv.Atoi(string(d.Body))
		if err != nil {
			t.Fatal(err)
		}
		got[n] = true
		if err := d.Ack(false); err != nil {
			t.Log("ack:", err) // the link was lost: it comes again
		}
	}
	for range 3 {
		for target := len(got) + 200; len(got) < target; {
			take()
		}
		s.Kill()
		s.Restart()
	}
	cancel()
	publishing.Wait()
	close(confirmed)
	n := 0
	for i := range confirmed {
		n++
		for !got[i] {
			take()
		}
	}
	t.Logf("%d confirmed through three kills, all arrived", n)
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// TestRedisConsumerDies leaves messages with a consumer that says nothing any
// more: the next one is given them once the lease is void.
func TestRedisConsumerDies(t *testing.T) {
	s := server.Start(t)
	f := newFixture(t, s.URL())
	store, err := streams.Open(s.URL(), "dying", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for i := range 5 {
		f.publish(t, &bus.Message{Body: fmt.Append(nil, i)})
	}
	dying := store.Member(f.name("a"), []string{streams.Prefix + "exchange:" + f.name("in")}, "dying", true)
	if _, err := dying.Renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := dying.Read(t.Context(), 3, time.Second, false); err != nil || len(got) != 3 {
		t.Fatalf("the one that dies was given %d: %v", len(got), err)
	}
	c := subscribe(t, t.Context(), f.bus, bus.Subscription{Queue: f.name("a"), Exclusive: true})
	for i := range 5 {
		d := next(t, c)
		if string(d.Body) != fmt.Sprint(i) || d.Redelivered != (i < 3) {
			t.Errorf("delivery %d is %s, redelivered %v", i, d.Body, d.Redelivered)
		}
	}
}

// TestRedisBound publishes more than a stream may hold while the subscriber is
// away: the oldest go, and how many is counted where the subscriber shows it.
func TestRedisBound(t *testing.T) {
	const limit, sent = 100, 1000
	s := server.Start(t)
	f := &fixture{cfg: bus.Config{URLs: []string{s.URL()}, Redis: bus.RedisConfig{MaxLength: limit}}, suffix: ".bound"}
	reg := prometheus.NewRegistry()
	b, err := bus.Open(f.cfg, bus.Options{
		Name: "bound", Topology: f.topology(), Logger: slog.New(slog.DiscardHandler), Registerer: reg, Transports: []bus.Transport{redis.Transport()},
	})
	if err != nil {
		t.Fatal(err)
	}
	run(t, b)
	if err := b.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.bus = b
	for i := range sent {
		f.publish(t, &bus.Message{Body: fmt.Append(nil, i)})
	}
	c := subscribe(t, t.Context(), b, bus.Subscription{Queue: f.name("a"), Prefetch: 2 * limit})
	d := next(t, c)
	first, err := strconv.Atoi(string(d.Body))
	if err != nil || first < sent-limit-limit/100-1 || first > sent-limit {
		t.Errorf("the oldest that is left is %s of %d, with a bound of %d", d.Body, sent, limit)
	}
	for i := first + 1; i < sent; i++ {
		if d = next(t, c); string(d.Body) != fmt.Sprint(i) {
			t.Fatalf("got %s, want %d", d.Body, i)
		}
	}
	if err := d.Ack(true); err != nil {
		t.Fatal(err)
	}
	poll(t, "the lost are counted", func() bool { return gauge(t, reg, "thump_bus_queue_lost_messages") == float64(first) })
	poll(t, "the stream is trimmed behind its only group", func() bool { return gauge(t, reg, "thump_bus_queue_messages") == 0 })
}

func poll(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not within 15 s:", what)
		}
	}
}

// gauge is the value of a metric's only series; -1 if there is none.
func gauge(t *testing.T, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	return -1
}
