package vhost

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"thump/broker/amqp"
)

func TestRoundRobin(t *testing.T) {
	v := newTestVHost(t)
	declareQueue(t, v, "q", nil)
	a, b, c := newInbox(), newInbox(), newInbox()
	consume(t, v, "q", ConsumerSpec{Tag: "a", NoAck: true}, a)
	consume(t, v, "q", ConsumerSpec{Tag: "b", NoAck: true}, b)
	third := consume(t, v, "q", ConsumerSpec{Tag: "c", NoAck: true}, c)
	for i := range 6 {
		send(t, v, "", "q", fmt.Sprint(i))
	}
	must(t, third.Cancel())
	for i := 6; i < 8; i++ {
		send(t, v, "", "q", fmt.Sprint(i))
	}
	wantBodies(t, "a", a.bodies, "0", "3", "6")
	wantBodies(t, "b", b.bodies, "1", "4", "7")
	wantBodies(t, "c", c.bodies, "2", "5")
}

func TestPrefetch(t *testing.T) {
	v := newTestVHost(t)
	q := declareQueue(t, v, "q", nil)
	a, b := newInbox(), newInbox()
	consume(t, v, "q", ConsumerSpec{Tag: "a", Prefetch: 1}, a)
	consume(t, v, "q", ConsumerSpec{Tag: "b", Prefetch: 2}, b)
	for i := range 6 {
		send(t, v, "", "q", fmt.Sprint(i))
	}
	wantBodies(t, "a", a.bodies, "0")
	wantBodies(t, "b", b.bodies, "1", "2")
	q.Ack(b.got...)
	wantBodies(t, "b after ack", b.bodies, "1", "2", "3", "4")
	q.Ack(a.got...)
	wantBodies(t, "a after ack", a.bodies, "0", "5")
	if s := q.State(); s.Ready != 0 || s.Unacked != 3 || s.Counts.Acked != 3 {
		t.Errorf("state: %+v", s)
	}
}

func TestNothingBeforeStart(t *testing.T) {
	v := newTestVHost(t)
	declareQueue(t, v, "q", nil)
	box := newInbox()
	c, err := v.Consume("q", ConsumerSpec{NoAck: true}, box)
	must(t, err)
	send(t, v, "", "q", "1")
	wantBodies(t, "before start", box.bodies)
	c.Start()
	wantBodies(t, "after start", box.bodies, "1")
}

func TestStalledConsumer(t *testing.T) {
	v := newTestVHost(t)
	declareQueue(t, v, "q", nil)
	slow, fast := newInbox(), newInbox()
	slow.room = 1
	c := consume(t, v, "q", ConsumerSpec{NoAck: true}, slow)
	send(t, v, "", "q", "1")
	send(t, v, "", "q", "2")
	send(t, v, "", "q", "3")
	slow.room = 1
	c.Resume()
	wantBodies(t, "slow", slow.bodies, "1", "2")
	consume(t, v, "q", ConsumerSpec{NoAck: true}, fast)
	send(t, v, "", "q", "4")
	wantBodies(t, "fast", fast.bodies, "3", "4")
}

func TestRequeueToOriginalPosition(t *testing.T) {
	v := newTestVHost(t)
	q := declareQueue(t, v, "q", nil)
	for i := range 5 {
		send(t, v, "", "q", fmt.Sprint(i))
	}
	var ds []Delivery
	for range 4 {
		d, _, _, err := v.Get("q", false, nil)
		must(t, err)
		ds = append(ds, d)
	}
	q.Requeue(ds[2])
	q.Requeue(ds[3], ds[0])
	for _, want := range []struct {
		body        string
		redelivered bool
		remaining   int
	}{{"0", true, 3}, {"2", true, 2}, {"3", true, 1}, {"4", false, 0}} {
		d, remaining, ok, err := v.Get("q", true, nil)
		must(t, err)
		if !ok || string(d.Message.Body) != want.body || d.Redelivered != want.redelivered || remaining != want.remaining {
			t.Errorf("got %q redelivered %t remaining %d, want %+v", d.Message.Body, d.Redelivered, remaining, want)
		}
	}
	if s := q.State(); s.Ready != 0 || s.Unacked != 1 || s.Counts.Redelivered != 3 || s.Counts.Requeued != 3 {
		t.Errorf("state: %+v", s)
	}
}

func TestMaxLength(t *testing.T) {
	cases := []struct {
		name     string
		args     amqp.Table
		bodies   string
		want     string
		rejected int
	}{
		{"drop head", amqp.Table{"x-max-length": int32(2)}, "a b c d", "c d", 0},
		{"drop head by bytes", amqp.Table{"x-max-length-bytes": int64(5)}, "aa bb cc d", "bb cc d", 0},
		{"one larger than the queue", amqp.Table{"x-max-length-bytes": int64(1)}, "a bb", "", 0},
		{"length 0", amqp.Table{"x-max-length": int8(0)}, "a b", "", 0},
		{"reject", amqp.Table{"x-max-length": int32(2), "x-overflow": "reject-publish"}, "a b c d", "a b", 2},
		{"reject by bytes", amqp.Table{"x-max-length-bytes": int32(4), "x-overflow": "reject-publish"}, "aaa bb c d", "aaa c", 2},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			v := newTestVHost(t)
			q := declareQueue(t, v, "q", c.args)
			refused := 0
			for _, body := range strings.Fields(c.bodies) {
				_, _, err := v.Publish(&Message{Key: "q", Body: []byte(body)})
				if err == ErrRejected {
					refused++
				} else {
					must(t, err)
				}
			}
			if refused != c.rejected {
				t.Errorf("rejected %d publishes, want %d", refused, c.rejected)
			}
			var bytes int64
			for _, body := range strings.Fields(c.want) {
				bytes += int64(len(body))
			}
			if s := q.State(); s.ReadyBytes != bytes {
				t.Errorf("ready bytes: got %d, want %d", s.ReadyBytes, bytes)
			}
			wantBodies(t, "left", pull(t, v, "q"), strings.Fields(c.want)...)
			if hot := v.hot.Load(); hot != 0 {
				t.Errorf("%d bytes still accounted for", hot)
			}
		})
	}
}

func TestMaxLengthSparesWaitingConsumer(t *testing.T) {
	v := newTestVHost(t)
	declareQueue(t, v, "q", amqp.Table{"x-max-length": int32(0)})
	box := newInbox()
	consume(t, v, "q", ConsumerSpec{NoAck: true}, box)
	send(t, v, "", "q", "1")
	wantBodies(t, "delivered", box.bodies, "1")
}

func TestExclusiveConsumer(t *testing.T) {
	const refused = "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use"
	v := newTestVHost(t)
	declareQueue(t, v, "q", nil)
	c := consume(t, v, "q", ConsumerSpec{Exclusive: true}, newInbox())
	_, err := v.Consume("q", ConsumerSpec{}, newInbox())
	wantError(t, err, amqp.AccessRefused, refused)
	must(t, c.Cancel())
	consume(t, v, "q", ConsumerSpec{}, newInbox())
	_, err = v.Consume("q", ConsumerSpec{Exclusive: true}, newInbox())
	wantError(t, err, amqp.AccessRefused, refused)
}

func TestDeleteQueueCancelsConsumers(t *testing.T) {
	v := newTestVHost(t)
	q := declareQueue(t, v, "q", nil)
	must(t, v.BindQueue("q", "amq.fanout", "", nil, nil))
	box := newInbox()
	c := consume(t, v, "q", ConsumerSpec{Prefetch: 1}, box)
	for range 3 {
		send(t, v, "amq.fanout", "", "m")
	}
	n, err := v.DeleteQueue("q", false, false, nil)
	must(t, err)
	if n != 2 || box.cancelled != 1 {
		t.Errorf("deleted %d messages, cancelled %d times; want 2, 1", n, box.cancelled)
	}
	must(t, c.Cancel())
	c.Resume()
	q.Requeue(box.got...)
	if n := send(t, v, "amq.fanout", "", "m"); n != 0 {
		t.Errorf("routed to %d queues, want 0", n)
	}
	if s := q.State(); len(box.got) != 1 || s.Unacked != 0 || s.Ready != 0 || v.hot.Load() != 0 {
		t.Errorf("left over: %+v, %d bytes", s, v.hot.Load())
	}
	if s := v.State(); s.Counts.Published != 3 || s.Queues != 0 {
		t.Errorf("totals: %+v", s)
	}
}

func TestAutoDeleteQueue(t *testing.T) {
	v := newTestVHost(t)
	_, err := v.DeclareQueue(QueueSpec{Name: "q", AutoDelete: true}, nil)
	must(t, err)
	a := consume(t, v, "q", ConsumerSpec{}, newInbox())
	b := consume(t, v, "q", ConsumerSpec{}, newInbox())
	must(t, a.Cancel())
	must(t, a.Cancel())
	if _, err := v.queue("q"); err != nil {
		t.Errorf("queue went before its last consumer: %v", err)
	}
	must(t, b.Cancel())
	_, err = v.queue("q")
	wantError(t, err, amqp.NotFound, "NOT_FOUND - no queue 'q' in vhost '/'")
}

func TestBodyIsCopiedOnce(t *testing.T) {
	v := newTestVHost(t)
	declareQueue(t, v, "a", nil)
	declareQueue(t, v, "b", nil)
	must(t, v.BindQueue("a", "amq.fanout", "", nil, nil))
	must(t, v.BindQueue("b", "amq.fanout", "", nil, nil))
	body := []byte("borrowed")
	_, _, err := v.Publish(&Message{Exchange: "amq.fanout", Body: body})
	must(t, err)
	copy(body, "????????")
	a, _, _, err := v.Get("a", false, nil)
	must(t, err)
	b, _, _, err := v.Get("b", false, nil)
	must(t, err)
	if string(a.Message.Body) != "borrowed" || &a.Message.Body[0] != &b.Message.Body[0] {
		t.Errorf("got %q and %q, want one copy of the original", a.Message.Body, b.Message.Body)
	}
	if hot := v.hot.Load(); hot != 8+storedOverhead {
		t.Errorf("accounted %d bytes, want one copy", hot)
	}
	a.Queue.Ack(a)
	b.Queue.Ack(b)
	if hot := v.hot.Load(); hot != 0 {
		t.Errorf("%d bytes still accounted for", hot)
	}
}

func TestLongFIFO(t *testing.T) {
	var f fifo
	next := uint64(0)
	for round := range uint64(3) {
		for i := range uint64(5000) {
			f.push(entry{id: round*5000 + i})
		}
		for f.len > int(round)*100 {
			if e := f.pop(); e.id != next {
				t.Fatalf("popped %d, want %d", e.id, next)
			}
			next++
		}
	}
}

func TestSnapshots(t *testing.T) {
	v := newTestVHost(t)
	o := &Owner{Name: "127.0.0.1:1 -> 127.0.0.1:5672"}
	_, err := v.DeclareQueue(QueueSpec{Name: "mine", Exclusive: true}, o)
	must(t, err)
	declareQueue(t, v, "all", nil)
	must(t, v.BindQueue("all", "amq.topic", "a.#", nil, nil))
	consume(t, v, "all", ConsumerSpec{Tag: "tag", Prefetch: 1}, newInbox())
	for range 3 {
		send(t, v, "amq.topic", "a.b", "body")
	}
	send(t, v, "amq.topic", "b", "body")

	queues := v.Queues()
	if len(queues) != 2 || queues[0].Name != "all" || queues[0].Ready != 2 || queues[0].Unacked != 1 ||
		queues[0].ReadyBytes != 8 || queues[0].Consumers != 1 || queues[1].Owner != o.Name {
		t.Errorf("queues: %+v", queues)
	}
	var names []string
	for _, x := range v.Exchanges() {
		names = append(names, x.Name)
		if x.Name == "amq.topic" && (x.Published != 4 || x.Routed != 3) {
			t.Errorf("exchange: %+v", x)
		}
	}
	if want := []string{"", "amq.direct", "amq.fanout", "amq.headers", "amq.match", "amq.topic"}; !slices.Equal(names, want) {
		t.Errorf("exchanges: got %q, want %q", names, want)
	}
	if b := v.Bindings(); len(b) != 3 || b[0].Key != "all" || b[2].Source != "amq.topic" || b[2].Key != "a.#" {
		t.Errorf("bindings: %+v", b)
	}
	if c := v.Consumers(); len(c) != 1 || c[0].Tag != "tag" || c[0].Queue != "all" || c[0].Unacked != 1 {
		t.Errorf("consumers: %+v", c)
	}
	if s := v.State(); s.Ready != 2 || s.Unacked != 1 || s.Unroutable != 1 || s.Published != 3 || s.Delivered != 1 || s.MemoryBytes == 0 {
		t.Errorf("state: %+v", s)
	}
}
