package vhost

import (
	"testing"
	"testing/synctest"
	"time"

	"thump/broker/amqp"
)

// headersOf gets one message and returns it with its headers.
func headersOf(t testing.TB, v *VHost, queue string) (*Message, amqp.Properties) {
	t.Helper()
	d, _, ok, err := v.Get(queue, true, nil)
	must(t, err)
	if !ok {
		t.Fatalf("queue %s is empty", queue)
	}
	p, err := amqp.ParseProperties(d.Message.Header)
	must(t, err)
	return d.Message, p
}

func rejectOne(t testing.TB, v *VHost, queue string) {
	t.Helper()
	d, _, ok, err := v.Get(queue, false, nil)
	must(t, err)
	if !ok {
		t.Fatalf("queue %s is empty", queue)
	}
	d.Queue.Reject(d)
}

func TestRejectedIsDeadLettered(t *testing.T) {
	v := newTestVHost(t)
	declareQueue(t, v, "work", amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "graves"})
	declareQueue(t, v, "graves", amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "work"})
	must(t, v.BindQueue("work", "amq.direct", "k", nil, nil))
	header, err := amqp.Properties{ContentType: "text/plain", Expiration: "500", Headers: amqp.Table{"mine": "1"}}.Append(nil)
	must(t, err)
	_, _, err = v.Publish(&Message{Exchange: "amq.direct", Key: "k", Header: header, Body: []byte("body")})
	must(t, err)

	before := time.Now().Add(-time.Second)
	rejectOne(t, v, "work") // → graves
	rejectOne(t, v, "graves")
	rejectOne(t, v, "work")
	m, p := headersOf(t, v, "graves")
	if m.Exchange != "" || m.Key != "graves" || string(m.Body) != "body" || p.ContentType != "text/plain" || p.Expiration != "" {
		t.Errorf("message: %+v, properties: %+v", m, p)
	}
	for header, want := range map[string]string{
		"mine": "1", "x-first-death-queue": "work", "x-first-death-reason": "rejected", "x-first-death-exchange": "amq.direct",
		"x-last-death-queue": "work", "x-last-death-reason": "rejected", "x-last-death-exchange": "amq.direct",
	} {
		if got := p.Headers[header]; got != want {
			t.Errorf("header %s: got %v, want %s", header, got, want)
		}
	}
	deaths, _ := p.Headers["x-death"].([]any)
	if len(deaths) != 2 {
		t.Fatalf("x-death: %v", deaths)
	}
	for i, want := range []struct {
		queue, exchange, key string
		count                int64
	}{{"work", "amq.direct", "k", 2}, {"graves", "", "graves", 1}} {
		death, _ := deaths[i].(amqp.Table)
		keys, _ := death["routing-keys"].([]any)
		when, _ := death["time"].(time.Time)
		if death["queue"] != want.queue || death["exchange"] != want.exchange || death["count"] != want.count ||
			len(keys) != 1 || keys[0] != want.key || death["reason"] != "rejected" || when.Before(before) {
			t.Errorf("death %d: got %v, want %+v", i, death, want)
		}
	}
	if first, _ := deaths[0].(amqp.Table); first["original-expiration"] != "500" {
		t.Errorf("original-expiration: %v", first)
	}
	if got := v.State(); got.DeadLettered != 3 || got.Ready != 0 || got.MemoryBytes != 0 {
		t.Errorf("state: %+v", got)
	}
}

func TestOverflowIsDeadLettered(t *testing.T) {
	for _, c := range []struct {
		overflow    string
		stay, grave string
	}{{"drop-head", "2", "1"}, {"reject-publish-dlx", "1", "2"}, {"reject-publish", "1", ""}} {
		t.Run(c.overflow, func(t *testing.T) {
			v := newTestVHost(t)
			declareQueue(t, v, "q", amqp.Table{"x-max-length": int32(1), "x-overflow": c.overflow, "x-dead-letter-exchange": "amq.fanout"})
			declareQueue(t, v, "graves", nil)
			must(t, v.BindQueue("graves", "amq.fanout", "", nil, nil))
			for _, body := range []string{"1", "2"} {
				_, _, err := v.Publish(&Message{Key: "q", Header: amqp.NoProperties[:], Body: []byte(body)})
				if want := body == "2" && c.overflow != "drop-head"; (err == ErrRejected) != want {
					t.Errorf("publish %s: %v", body, err)
				}
			}
			wantBodies(t, "queue", pull(t, v, "q"), c.stay)
			if c.grave == "" {
				wantBodies(t, "graves", pull(t, v, "graves"))
				return
			}
			m, p := headersOf(t, v, "graves")
			if string(m.Body) != c.grave || m.Key != "q" || p.Headers["x-first-death-reason"] != "maxlen" {
				t.Errorf("got %q key %q headers %v", m.Body, m.Key, p.Headers)
			}
		})
	}
}

// A message that two full queues push to one another ends when it has been round
// once without a rejection.
func TestDeadLetterCycle(t *testing.T) {
	v := newTestVHost(t)
	declareQueue(t, v, "a", amqp.Table{"x-max-length": int32(1), "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "b"})
	declareQueue(t, v, "b", amqp.Table{"x-max-length": int32(0), "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "a"})
	for _, body := range []string{"1", "2", "3"} {
		send(t, v, "", "a", body)
	}
	wantBodies(t, "a", pull(t, v, "a"), "3")
	if s := v.State(); s.Ready != 0 || s.MemoryBytes != 0 {
		t.Errorf("left: %+v", s)
	}
}

// A long chain of full queues pushes no frame of stack per message.
func TestDeadLetterChain(t *testing.T) {
	v := newTestVHost(t)
	const n = 20_000
	declareQueue(t, v, "self", amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "next"})
	declareQueue(t, v, "next", amqp.Table{"x-max-length": int32(1), "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "last"})
	declareQueue(t, v, "last", nil)
	var ds []Delivery
	for range n {
		send(t, v, "", "self", "m")
		d, _, _, err := v.Get("self", false, nil)
		must(t, err)
		ds = append(ds, d)
	}
	ds[0].Queue.Reject(ds...)
	last, err := v.queue("last")
	must(t, err)
	if got := last.State().Ready; got != n-1 {
		t.Errorf("last holds %d, want %d", got, n-1)
	}
}

func TestMissingDeadLetterExchange(t *testing.T) {
	v := newTestVHost(t)
	declareQueue(t, v, "q", amqp.Table{"x-dead-letter-exchange": "nowhere"})
	send(t, v, "", "q", "1")
	rejectOne(t, v, "q")
	if s := v.State(); s.Ready != 0 || s.Unacked != 0 || s.MemoryBytes != 0 || s.DeadLettered != 0 || s.Counts.Rejected != 1 {
		t.Errorf("state: %+v", s)
	}
}

// The usual way to retry later: rejected work waits in a queue with a TTL and
// comes back, as often as it is rejected.
func TestRetryThroughTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newTestVHost(t)
		defer v.Close()
		declareQueue(t, v, "work", amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "later"})
		declareQueue(t, v, "later", amqp.Table{
			"x-message-ttl": int32(100), "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "work",
		})
		send(t, v, "", "work", "m")
		for range 3 {
			rejectOne(t, v, "work")
			time.Sleep(150 * time.Millisecond)
			synctest.Wait()
		}
		_, p := headersOf(t, v, "work")
		deaths, _ := p.Headers["x-death"].([]any)
		if len(deaths) != 2 {
			t.Fatalf("x-death: %v", deaths)
		}
		later, _ := deaths[0].(amqp.Table)
		work, _ := deaths[1].(amqp.Table)
		if later["queue"] != "later" || later["reason"] != "expired" || later["count"] != int64(3) ||
			work["queue"] != "work" || work["reason"] != "rejected" || work["count"] != int64(3) {
			t.Errorf("x-death: %v", deaths)
		}
	})
}
