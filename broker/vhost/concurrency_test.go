package vhost

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// worker is a Receiver as a session is one: it takes deliveries under a lock of
// its own and settles them from another goroutine.
type worker struct {
	mu       sync.Mutex
	waiting  []Delivery
	bodies   []string
	refused  bool
	wake     chan struct{}
	consumer *Consumer
}

func (w *worker) Deliver(_ *Consumer, d Delivery) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.waiting) == 32 {
		w.refused = true
		return false
	}
	w.bodies = append(w.bodies, string(d.Message.Body))
	d.Message = nil
	w.waiting = append(w.waiting, d)
	select {
	case w.wake <- struct{}{}:
	default:
	}
	return true
}

func (w *worker) Cancelled(*Consumer) {}

// run settles deliveries until stop, each third one by a requeue the first time.
func (w *worker) run(stop <-chan struct{}, settled func(body string)) {
	for n := 0; ; {
		select {
		case <-stop:
			return
		case <-w.wake:
		}
		w.mu.Lock()
		ds, bodies, refused := w.waiting, w.bodies, w.refused
		w.waiting, w.bodies, w.refused = nil, nil, false
		w.mu.Unlock()
		for i, d := range ds {
			if n++; n%3 == 0 && !d.Redelivered {
				d.Queue.Requeue(d)
				continue
			}
			d.Queue.Ack(d)
			settled(bodies[i])
		}
		if refused {
			w.consumer.Resume()
		}
	}
}

// TestConcurrentUse publishes, consumes, binds and deletes at once. Each message
// to the steady queues is acknowledged exactly once.
func TestConcurrentUse(t *testing.T) {
	v := newTestVHost(t)
	declareExchange(t, v, "x", "topic")
	const publishers, each, workers = 4, 500, 3
	var mu sync.Mutex
	seen := make(map[string]int)
	var total atomic.Int64
	settled := func(body string) {
		mu.Lock()
		seen[body]++
		mu.Unlock()
		total.Add(1)
	}
	stop := make(chan struct{})
	var background, sending sync.WaitGroup
	for i := range 2 {
		name := fmt.Sprint("steady", i)
		declareQueue(t, v, name, nil)
		must(t, v.BindQueue(name, "x", "m.#", nil, nil))
		for range workers {
			w := &worker{wake: make(chan struct{}, 1)}
			c, err := v.Consume(name, ConsumerSpec{Prefetch: 20}, w)
			must(t, err)
			w.consumer = c
			background.Go(func() { w.run(stop, settled) })
			c.Start()
		}
	}
	background.Go(func() { churn(t, v, stop) })
	for p := range publishers {
		sending.Go(func() {
			for i := range each {
				m := &Message{Exchange: "x", Key: fmt.Sprint("m.", i), Body: fmt.Appendf(nil, "%d-%d", p, i)}
				if n, _, err := v.Publish(m); err != nil || n < 2 {
					t.Errorf("publish reached %d queues: %v", n, err)
				}
			}
		})
	}
	sending.Wait()
	const want = 2 * publishers * each
	for deadline := time.Now().Add(20 * time.Second); total.Load() < want && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	close(stop)
	background.Wait()
	for body, n := range seen {
		if n != 2 {
			t.Errorf("%s acknowledged %d times, want 2", body, n)
		}
	}
	if len(seen) != publishers*each {
		t.Errorf("%d of %d messages acknowledged", len(seen), publishers*each)
	}
	if s := v.State(); s.Ready != 0 || s.Unacked != 0 || s.MemoryBytes != 0 {
		t.Errorf("left: %+v", s)
	}
}

// churn lets exclusive queues come and go, consumers in them, and looks at the
// state all the while.
func churn(t *testing.T, v *VHost, stop <-chan struct{}) {
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		default:
		}
		o := &Owner{}
		info, err := v.DeclareQueue(QueueSpec{Exclusive: true}, o)
		if err != nil {
			t.Error(err)
			return
		}
		if err := v.BindQueue(info.Name, "x", "#", nil, o); err != nil {
			t.Error(err)
		}
		if i%2 == 0 {
			if c, err := v.Consume(info.Name, ConsumerSpec{NoAck: true, Owner: o}, discard{}); err == nil {
				c.Start()
			}
		}
		v.State()
		v.Bindings()
		v.Consumers()
		if err := v.CloseOwner(o); err != nil {
			t.Error(err)
		}
	}
}

// discard is a Receiver that takes everything.
type discard struct{}

func (discard) Deliver(*Consumer, Delivery) bool { return true }
func (discard) Cancelled(*Consumer)              {}

// BenchmarkPublishDeliver is the fast path: a consumer waits.
func BenchmarkPublishDeliver(b *testing.B) {
	for _, c := range []struct {
		name, exchange, kind string
		queues               int
		noAck                bool
	}{
		{"direct no-ack", "x", "direct", 1, true},
		{"direct ack", "x", "direct", 1, false},
		{"fanout to 3 ack", "x", "fanout", 3, false},
	} {
		b.Run(c.name, func(b *testing.B) {
			v := newTestVHost(b)
			declareExchange(b, v, "x", c.kind)
			var ackers []*acker
			for i := range c.queues {
				name := fmt.Sprint("q", i)
				q := declareQueue(b, v, name, nil)
				must(b, v.BindQueue(name, "x", "k", nil, nil))
				var r Receiver = discard{}
				if !c.noAck {
					ackers = append(ackers, &acker{queue: q})
					r = ackers[i]
				}
				consume(b, v, name, ConsumerSpec{NoAck: c.noAck, Prefetch: 256}, r)
			}
			m := &Message{Exchange: "x", Key: "k", Header: make([]byte, 2), Body: make([]byte, 1024)}
			b.ReportAllocs()
			for b.Loop() {
				if n, _, err := v.Publish(m); n != c.queues || err != nil {
					b.Fatal(n, err)
				}
				for _, a := range ackers {
					a.flush()
				}
			}
		})
	}
}

// acker keeps deliveries and acknowledges them 64 at a time.
type acker struct {
	queue *Queue
	held  []Delivery
}

func (a *acker) Deliver(_ *Consumer, d Delivery) bool {
	d.Message = nil
	a.held = append(a.held, d)
	return true
}

func (a *acker) Cancelled(*Consumer) {}

func (a *acker) flush() {
	if len(a.held) >= 64 {
		a.queue.Ack(a.held...)
		a.held = a.held[:0]
	}
}
