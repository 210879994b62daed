package bus_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"thump/internal/bus"
	"thump/internal/bus/redis"
)

// contract is what every transport and every broker keeps. Names carry a suffix
// of their own, so that a broker that is shared is left as it was found by others.
func contract(t *testing.T, url string) { contractWith(t, bus.Config{URLs: []string{url}}) }

func contractWith(t *testing.T, cfg bus.Config) {
	for name, test := range map[string]func(*testing.T, *fixture){
		"a confirmed message reaches every queue":     testFanout,
		"a message for nobody is returned":            testUnroutable,
		"what is not acknowledged comes again":        testRedelivery,
		"rejected goes to the dead-letter queue":      testReject,
		"live queues get what passes, and then go":    testLive,
		"properties and headers survive the journey":  testProperties,
		"a request is answered to its reply key":      testRequest,
		"what has expired is not delivered":           testExpiry,
		"multiple acknowledges all before, no more":   testMultiple,
		"no more than the prefetch is unacknowledged": testPrefetch,
		"an exclusive consumer is alone":              testExclusive,
	} {
		t.Run(name, func(t *testing.T) { test(t, newFixtureWith(t, cfg)) })
	}
}

type fixture struct {
	cfg    bus.Config
	suffix string
	bus    bus.Bus
}

func (f *fixture) name(s string) string { return s + f.suffix }

func newFixture(t *testing.T, url string) *fixture {
	t.Helper()
	return newFixtureWith(t, bus.Config{URLs: []string{url}})
}

func newFixtureWith(t *testing.T, cfg bus.Config) *fixture {
	t.Helper()
	f := &fixture{cfg: cfg, suffix: fmt.Sprintf(".%d", time.Now().UnixNano())}
	f.bus = f.connect(t)
	return f
}

func (f *fixture) topology() bus.Topology {
	return bus.Topology{
		Exchanges: []bus.Exchange{{Name: f.name("in"), Kind: "fanout"}, {Name: f.name("topic"), Kind: "topic"}},
		Queues: []bus.Queue{
			{Name: f.name("a"), Args: bus.Args{"x-expires": int32(60000), "x-dead-letter-exchange": "", "x-dead-letter-routing-key": f.name("dead")}},
			{Name: f.name("dead"), Args: bus.Args{"x-expires": int32(60000)}},
		},
		Bindings: []bus.Binding{
			{Source: f.name("in"), Destination: f.name("a")},
			{Source: f.name("in"), Destination: f.name("topic"), ToExchange: true},
		},
	}
}

// connect returns a bus that runs until the test ends.
func (f *fixture) connect(t *testing.T) bus.Bus {
	t.Helper()
	b, err := bus.Open(f.cfg, bus.Options{Name: t.Name(), Topology: f.topology(), Logger: slog.New(slog.DiscardHandler), Transports: []bus.Transport{redis.Transport()}})
	if err != nil {
		t.Fatal(err)
	}
	run(t, b)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := b.Ready(ctx); err != nil {
		t.Fatal("not ready: ", err)
	}
	return b
}

// run runs b until the test ends.
func run(t *testing.T, b bus.Bus) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error("run:", err)
		}
	})
}

func (f *fixture) publish(t *testing.T, m *bus.Message) {
	t.Helper()
	if err := f.bus.Publish(t.Context(), f.name("in"), m); err != nil {
		t.Fatal("publish:", err)
	}
}

// next returns the next delivery of a subscription.
func next(t *testing.T, c <-chan *bus.Delivery) *bus.Delivery {
	t.Helper()
	select {
	case d, ok := <-c:
		if !ok {
			t.Fatal("the subscription ended")
		}
		return d
	case <-time.After(10 * time.Second):
		t.Fatal("nothing was delivered within 10 s")
	}
	return nil
}

func subscribe(t *testing.T, ctx context.Context, b bus.Bus, s bus.Subscription) <-chan *bus.Delivery {
	t.Helper()
	c, err := b.Subscribe(ctx, s)
	if err != nil {
		t.Fatal("subscribe:", err)
	}
	return c
}

func testFanout(t *testing.T, f *fixture) {
	c := subscribe(t, t.Context(), f.bus, bus.Subscription{Queue: f.name("a"), Exclusive: true})
	for i := range 100 {
		f.publish(t, &bus.Message{Key: "g.h.p", Body: fmt.Append(nil, i)})
	}
	for i := range 100 {
		d := next(t, c)
		if got, want := string(d.Body), fmt.Sprint(i); got != want {
			t.Fatalf("delivery %d is %s", i, got)
		}
		if i%10 == 9 {
			if err := d.Ack(true); err != nil {
				t.Fatal("ack:", err)
			}
		}
	}
}

func testUnroutable(t *testing.T, f *fixture) {
	if err := f.bus.Publish(t.Context(), f.name("topic"), &bus.Message{Key: "nobody"}); !errors.Is(err, bus.ErrUnroutable) {
		t.Errorf("published to nobody: %v, want ErrUnroutable", err)
	}
	f.publish(t, &bus.Message{Key: "somebody"})
}

func testRedelivery(t *testing.T, f *fixture) {
	ctx, cancel := context.WithCancel(t.Context())
	c := subscribe(t, ctx, f.bus, bus.Subscription{Queue: f.name("a")})
	for _, body := range []string{"one", "two"} {
		f.publish(t, &bus.Message{Body: []byte(body)})
	}
	if d := next(t, c); d.Redelivered {
		t.Error("the first delivery is marked as redelivered")
	} else if err := d.Ack(false); err != nil {
		t.Fatal("ack:", err)
	}
	next(t, c)
	cancel()
	for range c { // wait for its end
	}
	c = subscribe(t, t.Context(), f.bus, bus.Subscription{Queue: f.name("a")})
	if d := next(t, c); string(d.Body) != "two" || !d.Redelivered {
		t.Errorf("got %s, redelivered %v; want two, true", d.Body, d.Redelivered)
	}
}

func testReject(t *testing.T, f *fixture) {
	c := subscribe(t, t.Context(), f.bus, bus.Subscription{Queue: f.name("a")})
	dead := subscribe(t, t.Context(), f.bus, bus.Subscription{Queue: f.name("dead")})
	f.publish(t, &bus.Message{Body: []byte("garbage")})
	if err := next(t, c).Reject(); err != nil {
		t.Fatal("reject:", err)
	}
	if d := next(t, dead); string(d.Body) != "garbage" {
		t.Errorf("the dead-letter queue holds %s", d.Body)
	}
}

func testLive(t *testing.T, f *fixture) {
	ctx, cancel := context.WithCancel(t.Context())
	c := subscribe(t, ctx, f.bus, bus.Subscription{NoAck: true, Bindings: []bus.Binding{{Source: f.name("topic"), Key: "web.*.cpu"}}})
	// The binding is made in the background: publish until it shows.
	for deadline := time.Now().Add(10 * time.Second); ; {
		f.publish(t, &bus.Message{Key: "web.h1.cpu"})
		if f.bus.Publish(t.Context(), f.name("topic"), &bus.Message{Key: "web.h1.cpu"}) == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the live queue was never bound")
		}
	}
	if d := next(t, c); d.Key != "web.h1.cpu" {
		t.Errorf("got key %s", d.Key)
	}
	cancel()
	for range c {
	}
	for deadline := time.Now().Add(10 * time.Second); ; {
		if errors.Is(f.bus.Publish(t.Context(), f.name("topic"), &bus.Message{Key: "web.h1.cpu"}), bus.ErrUnroutable) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the live queue is still there")
		}
	}
}

func testProperties(t *testing.T, f *fixture) {
	c := subscribe(t, t.Context(), f.bus, bus.Subscription{Queue: f.name("a")})
	sent := bus.Message{
		Key: "g.h.p", ContentType: "text/x", ContentEncoding: "gzip", Type: "metrics", ID: "boot-1", CorrelationID: "c", ReplyTo: "r", Expires: time.Minute,
		Time: time.Unix(1_789_000_000, 0), Headers: map[string]string{"host": "h", "group": "g"}, Body: []byte{0, 1, 2},
	}
	f.publish(t, &sent)
	got := next(t, c).Message
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", sent) {
		t.Errorf("got  %+v\nwant %+v", got, sent)
	}
	f.publish(t, &bus.Message{})
	if d := next(t, c); len(d.Body) != 0 {
		t.Errorf("an empty body came as %d bytes", len(d.Body))
	}
}

// testRequest asks, and is answered on a server-named queue bound to a key of its
// own. Taken says when to ask.
func testRequest(t *testing.T, f *fixture) {
	taken := make(chan struct{}, 1)
	answers := subscribe(t, t.Context(), f.bus, bus.Subscription{
		NoAck: true, Bindings: []bus.Binding{{Source: f.name("topic"), Key: "reply.1"}}, Taken: func() { taken <- struct{}{} },
	})
	requests := subscribe(t, t.Context(), f.bus, bus.Subscription{Queue: f.name("a")})
	select {
	case <-taken:
	case <-time.After(10 * time.Second):
		t.Fatal("the reply queue was not taken up")
	}
	f.publish(t, &bus.Message{Key: "work", ReplyTo: "reply.1", CorrelationID: "42", Expires: 30 * time.Second})
	q := next(t, requests)
	if err := f.bus.Publish(t.Context(), f.name("topic"), &bus.Message{Key: q.ReplyTo, CorrelationID: q.CorrelationID, Body: []byte("done")}); err != nil {
		t.Fatal("answer:", err)
	}
	if d := next(t, answers); d.CorrelationID != "42" || string(d.Body) != "done" {
		t.Errorf("got %s for %s", d.Body, d.CorrelationID)
	}
	err := f.bus.Publish(t.Context(), f.name("topic"), &bus.Message{Key: "reply.2"})
	if !errors.Is(err, bus.ErrUnroutable) {
		t.Errorf("an answer to one who has gone: %v, want ErrUnroutable", err)
	}
}

func testExpiry(t *testing.T, f *fixture) {
	f.publish(t, &bus.Message{Body: []byte("stale"), Expires: time.Millisecond})
	time.Sleep(100 * time.Millisecond) // the broker's clock, not ours
	f.publish(t, &bus.Message{Body: []byte("fresh")})
	if d := next(t, subscribe(t, t.Context(), f.bus, bus.Subscription{Queue: f.name("a")})); string(d.Body) != "fresh" {
		t.Errorf("got %s, want fresh", d.Body)
	}
}

// testMultiple acknowledges a part of what it was given and goes: the rest comes
// again, in order, and nothing else.
func testMultiple(t *testing.T, f *fixture) {
	ctx, cancel := context.WithCancel(t.Context())
	c := subscribe(t, ctx, f.bus, bus.Subscription{Queue: f.name("a"), Prefetch: 20})
	for i := range 12 {
		f.publish(t, &bus.Message{Body: fmt.Append(nil, i)})
	}
	var sixth, ninth *bus.Delivery
	for i := range 12 {
		switch d := next(t, c); i {
		case 5:
			sixth = d
		case 8:
			ninth = d
		}
	}
	if err := errors.Join(ninth.Ack(false), sixth.Ack(true)); err != nil {
		t.Fatal("ack:", err)
	}
	cancel()
	for range c {
	}
	c = subscribe(t, t.Context(), f.bus, bus.Subscription{Queue: f.name("a")})
	for _, want := range []string{"6", "7", "9", "10", "11"} {
		d := next(t, c)
		if string(d.Body) != want || !d.Redelivered {
			t.Errorf("got %s, redelivered %v; want %s, true", d.Body, d.Redelivered, want)
		}
		if err := d.Ack(false); err != nil {
			t.Fatal("ack:", err)
		}
	}
	f.publish(t, &bus.Message{Body: []byte("new")})
	if d := next(t, c); string(d.Body) != "new" {
		t.Errorf("got %s once more", d.Body)
	}
}

// testPrefetch lets a slow subscriber acknowledge nothing: the queue waits.
func testPrefetch(t *testing.T, f *fixture) {
	const prefetch = 5
	c := subscribe(t, t.Context(), f.bus, bus.Subscription{Queue: f.name("a"), Prefetch: prefetch})
	for i := range 4 * prefetch {
		f.publish(t, &bus.Message{Body: fmt.Append(nil, i)})
	}
	var last *bus.Delivery
	for i := range 4 * prefetch {
		if i > 0 && i%prefetch == 0 {
			select {
			case d := <-c:
				t.Fatalf("given %s with %d unacknowledged", d.Body, prefetch)
			case <-time.After(50 * time.Millisecond):
			}
			if err := last.Ack(true); err != nil {
				t.Fatal("ack:", err)
			}
		}
		if last = next(t, c); string(last.Body) != fmt.Sprint(i) {
			t.Fatalf("delivery %d is %s", i, last.Body)
		}
	}
}

// testExclusive lets a second consumer try: it is given nothing until the first
// has gone.
func testExclusive(t *testing.T, f *fixture) {
	ctx, cancel := context.WithCancel(t.Context())
	taken := make(chan struct{}, 1)
	first := subscribe(t, ctx, f.bus, bus.Subscription{Queue: f.name("a"), Exclusive: true, Taken: func() { taken <- struct{}{} }})
	select {
	case <-taken:
	case <-time.After(10 * time.Second):
		t.Fatal("not taken up")
	}
	refused := make(chan error, 100)
	second := subscribe(t, t.Context(), f.connect(t), bus.Subscription{
		Queue: f.name("a"), Exclusive: true, Interrupted: func(err error) {
			select {
			case refused <- err:
			default:
			}
		},
	})
	if f.cfg.QueueType != "quorum" { // whose second consumer waits without a word
		select {
		case <-refused:
		case <-time.After(10 * time.Second):
			t.Fatal("the second was not refused")
		}
	}
	f.publish(t, &bus.Message{Body: []byte("one")})
	if err := next(t, first).Ack(false); err != nil {
		t.Fatal("ack:", err)
	}
	select {
	case d := <-second:
		t.Errorf("the second was given %s", d.Body)
	default:
	}
	cancel()
	for range first {
	}
	f.publish(t, &bus.Message{Body: []byte("two")})
	if d := next(t, second); string(d.Body) != "two" {
		t.Errorf("the second was given %s", d.Body)
	}
}
