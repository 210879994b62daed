package vhost

import (
	"errors"
	"slices"
	"testing"

	"thump/broker/amqp"
)

// inbox is a Receiver that keeps what it gets. Its fields are guarded by the lock
// of the one queue that it consumes.
type inbox struct {
	room      int // deliveries it still takes; negative: any number
	got       []Delivery
	bodies    []string
	cancelled int
}

func newInbox() *inbox { return &inbox{room: -1} }

func (b *inbox) Deliver(_ *Consumer, d Delivery) bool {
	if b.room == 0 {
		return false
	}
	b.room--
	b.bodies = append(b.bodies, string(d.Message.Body))
	d.Message = nil
	b.got = append(b.got, d)
	return true
}

func (b *inbox) Cancelled(*Consumer) { b.cancelled++ }

func newTestVHost(t testing.TB) *VHost {
	t.Helper()
	v, err := New(Config{Name: "/"}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func declareQueue(t testing.TB, v *VHost, name string, args amqp.Table) *Queue {
	t.Helper()
	_, err := v.DeclareQueue(QueueSpec{Name: name, Args: args}, nil)
	must(t, err)
	q, err := v.queue(name)
	must(t, err)
	return q
}

func declareExchange(t testing.TB, v *VHost, name, kind string) {
	t.Helper()
	must(t, v.DeclareExchange(ExchangeSpec{Name: name, Type: kind}))
}

// send publishes a body without properties and returns the number of queues.
func send(t testing.TB, v *VHost, exchange, key, body string) int {
	t.Helper()
	n, _, err := v.Publish(&Message{Exchange: exchange, Key: key, Header: amqp.NoProperties[:], Body: []byte(body)})
	must(t, err)
	return n
}

func consume(t testing.TB, v *VHost, queue string, spec ConsumerSpec, r Receiver) *Consumer {
	t.Helper()
	c, err := v.Consume(queue, spec, r)
	must(t, err)
	c.Start()
	return c
}

// pull gets and acknowledges all ready messages of a queue.
func pull(t testing.TB, v *VHost, queue string) (bodies []string) {
	t.Helper()
	for {
		d, _, ok, err := v.Get(queue, false, nil)
		must(t, err)
		if !ok {
			return bodies
		}
		bodies = append(bodies, string(d.Message.Body))
		d.Queue.Ack(d)
	}
}

func wantBodies(t testing.TB, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// wantError checks an exception's code, text and blast radius.
func wantError(t testing.TB, err error, code uint16, text string) {
	t.Helper()
	var e *amqp.Error
	if !errors.As(err, &e) {
		t.Fatalf("got error %v, want exception %d %s", err, code, text)
	}
	if e.Code != code || e.Text != text || e.Channel != (code < 500) {
		t.Errorf("got exception %d %q (channel %t), want %d %q", e.Code, e.Text, e.Channel, code, text)
	}
}
