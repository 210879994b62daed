package vhost_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"thump/broker/amqp"
	"thump/broker/definitions"
	"thump/broker/journal"
	"thump/broker/vhost"
)

// disk is a folder with a broker's definitions and journal, opened again and
// again.
type disk struct {
	t       testing.TB
	dir     string
	budget  int64
	store   *definitions.Store
	journal *journal.Journal
	*vhost.VHost
}

func newDisk(t testing.TB, budget int64) *disk {
	t.Helper()
	d := &disk{t: t, dir: t.TempDir(), budget: budget}
	d.open()
	t.Cleanup(d.close)
	return d
}

func (d *disk) open() {
	d.t.Helper()
	var err error
	d.store, err = definitions.Open(filepath.Join(d.dir, "definitions.db"))
	d.must(err)
	defs := d.store.VHost("/")
	known, err := defs.Known()
	d.must(err)
	d.journal, err = journal.Open(filepath.Join(d.dir, "journal"), journal.Options{Known: known})
	d.must(err)
	d.VHost, err = vhost.New(vhost.Config{Name: "/", MemoryBudget: d.budget}, defs, d.journal)
	d.must(err)
}

func (d *disk) close() {
	d.VHost.Close()
	d.must(errors.Join(d.journal.Close(), d.store.Close()))
}

func (d *disk) restart() {
	d.t.Helper()
	d.close()
	d.open()
}

func (d *disk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *disk) declare(name string, durable bool, args amqp.Table) {
	d.t.Helper()
	_, err := d.DeclareQueue(vhost.QueueSpec{Name: name, Durable: durable, Args: args}, nil)
	d.must(err)
}

// send publishes persistent messages and returns the last ticket.
func (d *disk) send(exchange, key string, bodies ...string) (ticket uint64) {
	d.t.Helper()
	header, err := amqp.Properties{DeliveryMode: amqp.Persistent, Headers: amqp.Table{"h": "v"}}.Append(nil)
	d.must(err)
	for _, body := range bodies {
		_, ticket, err = d.Publish(&vhost.Message{Exchange: exchange, Key: key, Header: header, Body: []byte(body), Persistent: true})
		d.must(err)
	}
	return ticket
}

// wantQueue takes all messages of a queue, which are to be these, and puts them
// back.
func (d *disk) wantQueue(name string, redelivered bool, want ...string) {
	d.t.Helper()
	var got []string
	var ds []vhost.Delivery
	for {
		delivery, _, ok, err := d.Get(name, false, nil)
		d.must(err)
		if !ok {
			break
		}
		got = append(got, string(delivery.Message.Body))
		if delivery.Redelivered != redelivered {
			d.t.Errorf("queue %s: %s is redelivered: %t", name, delivery.Message.Body, delivery.Redelivered)
		}
		ds = append(ds, delivery)
	}
	if !slices.Equal(got, want) {
		d.t.Errorf("queue %s: got %q, want %q", name, got, want)
	}
	if len(ds) > 0 {
		ds[0].Queue.Requeue(ds...)
	}
}

func (d *disk) ack(name string, n int) {
	d.t.Helper()
	for range n {
		delivery, _, ok, err := d.Get(name, false, nil)
		d.must(err)
		if !ok {
			d.t.Fatalf("queue %s is empty", name)
		}
		delivery.Queue.Ack(delivery)
	}
}

func TestRestart(t *testing.T) {
	d := newDisk(t, 0)
	d.must(d.DeclareExchange(vhost.ExchangeSpec{Name: "metrics", Type: "fanout", Durable: true}))
	d.must(d.DeclareExchange(vhost.ExchangeSpec{Name: "words", Type: "topic", Durable: true}))
	d.must(d.DeclareExchange(vhost.ExchangeSpec{Name: "gone", Type: "fanout"}))
	d.must(d.BindExchange("words", "metrics", "", nil))
	for _, q := range []string{"history", "alerting"} {
		d.declare(q, true, amqp.Table{"x-max-length": int32(1000)})
		d.must(d.BindQueue(q, "metrics", "", nil, nil))
	}
	d.declare("disk", true, nil)
	d.must(d.BindQueue("disk", "words", "*.disk", amqp.Table{"a": int32(1)}, nil))
	d.must(d.BindQueue("disk", "gone", "", nil, nil))
	d.declare("tap", false, nil)
	d.must(d.BindQueue("tap", "metrics", "", nil, nil))

	if first, last := d.send("metrics", "web.disk", "1"), d.send("metrics", "web.cpu", "2", "3"); first == 0 || last <= first {
		t.Errorf("tickets %d, %d", first, last)
	}
	if n, ticket, err := d.Publish(&vhost.Message{Exchange: "metrics", Header: []byte{0, 0}, Body: []byte("transient")}); n != 3 || ticket != 0 || err != nil {
		t.Errorf("transient: %d queues, ticket %d, %v", n, ticket, err)
	}
	d.wantQueue("alerting", false, "1", "2", "3", "transient")
	d.ack("history", 1)
	d.restart()

	d.wantQueue("history", true, "2", "3")
	d.wantQueue("alerting", true, "1", "2", "3")
	d.wantQueue("disk", true, "1")
	if _, err := d.DeclareQueue(vhost.QueueSpec{Name: "tap", Passive: true}, nil); err == nil {
		t.Error("a transient queue survived")
	}
	if err := d.DeclareExchange(vhost.ExchangeSpec{Name: "gone", Passive: true}); err == nil {
		t.Error("a transient exchange survived")
	}
	d.declare("history", true, amqp.Table{"x-max-length": int64(1000)})
	d.send("metrics", "web.disk", "4")
	d.ack("history", 3)
	d.ack("disk", 1)
	d.restart()
	d.wantQueue("history", true)
	d.wantQueue("disk", true, "4")
	d.wantQueue("alerting", true, "1", "2", "3", "4")

	delivery, _, _, err := d.Get("disk", true, nil)
	d.must(err)
	p, err := amqp.ParseProperties(delivery.Message.Header)
	d.must(err)
	if m := delivery.Message; m.Exchange != "metrics" || m.Key != "web.disk" || !m.Persistent || p.Headers["h"] != "v" || p.DeliveryMode != 2 {
		t.Errorf("message from disk: %+v, %+v", m, p)
	}
}

func TestDeletedIsForgotten(t *testing.T) {
	d := newDisk(t, 0)
	d.must(d.DeclareExchange(vhost.ExchangeSpec{Name: "x", Type: "fanout", Durable: true}))
	for _, q := range []string{"q", "kept", "purged", "noack", "dropping"} {
		args := amqp.Table{}
		if q == "dropping" {
			args["x-max-length"] = int32(1)
		}
		d.declare(q, true, args)
		d.must(d.BindQueue(q, "x", "", nil, nil))
	}
	d.send("x", "", "1", "2")
	_, err := d.DeleteQueue("q", false, false, nil)
	d.must(err)
	_, err = d.PurgeQueue("purged", nil)
	d.must(err)
	_, _, _, err = d.Get("noack", true, nil)
	d.must(err)
	d.must(d.UnbindQueue("kept", "x", "", nil, nil))
	d.declare("q", true, nil) // the same name is another queue
	d.restart()
	for q, want := range map[string][]string{"q": nil, "purged": nil, "noack": {"2"}, "kept": {"1", "2"}, "dropping": {"2"}} {
		d.wantQueue(q, true, want...)
	}
	if n := d.send("x", "", "3"); n == 0 {
		t.Error("no ticket for the bound queues")
	}
	d.wantQueue("kept", true, "1", "2")
}

// Beyond the budget durable messages wait on disk only, in order, and come back
// whole.
func TestMemoryBudget(t *testing.T) {
	d := newDisk(t, 2000)
	d.declare("q", true, nil)
	var want []string
	for i := range 50 {
		want = append(want, fmt.Sprintf("%03d %0200d", i, i))
	}
	d.send("", "q", want...)
	if s := d.State(); s.MemoryBytes < 1000 || s.MemoryBytes > 3000 || s.Ready != 50 {
		t.Errorf("state: %+v", s)
	}
	d.wantQueue("q", false, want...)
	if s := d.State(); s.MemoryBytes != 0 || s.Ready != 50 {
		t.Errorf("requeued: %+v", s)
	}
	d.wantQueue("q", true, want...)
	d.ack("q", 50)
	d.restart()
	d.wantQueue("q", true)
}

func TestDeadLetterIsDurable(t *testing.T) {
	d := newDisk(t, 1) // everything durable is cold
	d.declare("work", true, amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "graves"})
	d.declare("graves", true, nil)
	d.send("", "work", "1", "2")
	delivery, _, _, err := d.Get("work", false, nil)
	d.must(err)
	delivery.Queue.Reject(delivery)
	d.restart()
	d.wantQueue("work", true, "2")
	d.wantQueue("graves", true, "1")
}

func TestRecoveredRespectLimits(t *testing.T) {
	d := newDisk(t, 0)
	d.declare("bytes", true, amqp.Table{"x-max-length-bytes": int32(10), "x-overflow": "reject-publish"})
	d.declare("ttl", true, amqp.Table{"x-message-ttl": int32(0)})
	d.send("", "bytes", "12345")
	d.restart()
	d.send("", "bytes", "67890")
	_, _, err := d.Publish(&vhost.Message{Key: "bytes", Header: []byte{0, 0}, Body: []byte("x"), Persistent: true})
	if !errors.Is(err, vhost.ErrRejected) {
		t.Errorf("11 bytes in a queue for 10: %v", err)
	}
	d.restart()
	d.wantQueue("bytes", true, "12345", "67890")
}

func TestExpirationSurvives(t *testing.T) {
	d := newDisk(t, 0)
	d.declare("q", true, nil)
	header, err := amqp.Properties{Expiration: "1"}.Append(nil)
	d.must(err)
	d.send("", "q", "head")
	_, _, err = d.Publish(&vhost.Message{Key: "q", Header: header, Body: []byte("stale"), Persistent: true})
	d.must(err)
	d.send("", "q", "last")
	d.restart()
	for d.ack("q", 1); ; {
		delivery, _, ok, err := d.Get("q", false, nil)
		d.must(err)
		if !ok {
			t.Fatal("the last message expired")
		}
		body := string(delivery.Message.Body)
		delivery.Queue.Requeue(delivery)
		if body == "last" {
			return
		}
	}
}

func BenchmarkDurablePublish(b *testing.B) {
	for _, c := range []struct {
		name   string
		queues int
	}{{"1 queue", 1}, {"3 queues", 3}} {
		b.Run(c.name, func(b *testing.B) {
			d := newDisk(b, 0)
			d.must(d.DeclareExchange(vhost.ExchangeSpec{Name: "x", Type: "fanout", Durable: true}))
			for i := range c.queues {
				q := fmt.Sprint("q", i)
				d.declare(q, true, nil)
				d.must(d.BindQueue(q, "x", "", nil, nil))
			}
			m := &vhost.Message{Exchange: "x", Header: []byte{0, 0}, Body: make([]byte, 1024), Persistent: true}
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := d.Publish(m); err != nil {
					b.Fatal(err)
				}
			}
			if info, err := os.Stat(d.dir); err != nil || !info.IsDir() {
				b.Fatal(err)
			}
		})
	}
}
