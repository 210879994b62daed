package vhost

import (
	"testing"
	"testing/synctest"
	"time"

	"thump/broker/amqp"
)

func expiring(t testing.TB, ms string) []byte {
	t.Helper()
	b, err := amqp.Properties{Expiration: ms}.Append(nil)
	must(t, err)
	return b
}

func TestMessageTTL(t *testing.T) {
	type publish struct{ body, expiration string }
	cases := []struct {
		name      string
		args      amqp.Table
		publishes []publish
		left      map[time.Duration][]string // after so long
	}{
		{"of the queue", amqp.Table{"x-message-ttl": int32(100)}, []publish{{"a", ""}, {"b", ""}},
			map[time.Duration][]string{50 * time.Millisecond: {"a", "b"}, 150 * time.Millisecond: nil}},
		{"of the message", nil, []publish{{"a", "100"}, {"b", ""}},
			map[time.Duration][]string{50 * time.Millisecond: {"a", "b"}, 150 * time.Millisecond: {"b"}}},
		{"the shorter one", amqp.Table{"x-message-ttl": int32(100)}, []publish{{"a", "20"}, {"b", "500"}},
			map[time.Duration][]string{10 * time.Millisecond: {"a", "b"}, 50 * time.Millisecond: {"b"}, 150 * time.Millisecond: nil}},
		{"only at the head", nil, []publish{{"a", ""}, {"b", "20"}},
			map[time.Duration][]string{50 * time.Millisecond: {"a"}}}, // b dies once a is taken
		{"zero", nil, []publish{{"a", "0"}, {"b", ""}},
			map[time.Duration][]string{0: {"b"}}},
	}
	for _, c := range cases {
		for wait, want := range c.left {
			t.Run(c.name+" after "+wait.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					v := newTestVHost(t)
					declareQueue(t, v, "q", c.args)
					for _, p := range c.publishes {
						m := &Message{Key: "q", Header: amqp.NoProperties[:], Body: []byte(p.body)}
						if p.expiration != "" {
							m.Header = expiring(t, p.expiration)
						}
						_, _, err := v.Publish(m)
						must(t, err)
					}
					time.Sleep(wait)
					synctest.Wait()
					wantBodies(t, "left", pull(t, v, "q"), want...)
					if s := v.State(); s.MemoryBytes != 0 || s.Expired != uint64(len(c.publishes)-len(want)) {
						t.Errorf("state: %+v", s)
					}
					v.Close()
				})
			})
		}
	}
}

func TestTimerExpiresIdleQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newTestVHost(t)
		defer v.Close()
		q := declareQueue(t, v, "q", amqp.Table{"x-message-ttl": int32(100), "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "graves"})
		declareQueue(t, v, "graves", nil)
		for range 3 {
			send(t, v, "", "q", "m")
			time.Sleep(30 * time.Millisecond)
		}
		d, _, _, err := v.Get("q", false, nil)
		must(t, err)
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		if s := q.State(); s.Ready != 0 || s.Unacked != 1 || s.Counts.Expired != 2 {
			t.Errorf("state: %+v", s)
		}
		q.Requeue(d) // its time has passed while it was out
		if s := q.State(); s.Ready != 0 || s.Unacked != 0 || s.Counts.Expired != 3 {
			t.Errorf("after requeue: %+v", s)
		}
		for range 3 {
			if _, p := headersOf(t, v, "graves"); p.Headers["x-first-death-reason"] != "expired" {
				t.Errorf("headers: %v", p.Headers)
			}
		}
	})
}

func TestExpiredIsNotDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newTestVHost(t)
		defer v.Close()
		declareQueue(t, v, "q", nil)
		send(t, v, "", "q", "first")
		_, _, err := v.Publish(&Message{Key: "q", Header: expiring(t, "50"), Body: []byte("stale")})
		must(t, err)
		time.Sleep(100 * time.Millisecond)
		send(t, v, "", "q", "last")
		box := newInbox()
		consume(t, v, "q", ConsumerSpec{NoAck: true}, box)
		wantBodies(t, "delivered", box.bodies, "first", "last")
	})
}

func TestInvalidExpiration(t *testing.T) {
	v := newTestVHost(t)
	for text, problem := range map[string]string{
		"soon": "no_integer", "-1": "{value_negative,-1}", "99999999999": "{value_too_large,99999999999}",
	} {
		_, _, err := v.Publish(&Message{Key: "q", Header: expiring(t, text)})
		wantError(t, err, amqp.PreconditionFailed, "PRECONDITION_FAILED - invalid expiration '"+text+"': "+problem)
	}
	_, err := v.DeclareQueue(QueueSpec{Name: "q", Args: amqp.Table{"x-expires": int32(0)}}, nil)
	wantError(t, err, amqp.PreconditionFailed, "PRECONDITION_FAILED - invalid arg 'x-expires' for queue 'q' in vhost '/': {value_zero,0}")
}

func TestQueueExpires(t *testing.T) {
	uses := map[string]func(v *VHost) error{
		"declare": func(v *VHost) error { _, err := v.DeclareQueue(QueueSpec{Name: "q", Passive: true}, nil); return err },
		"get":     func(v *VHost) error { _, _, _, err := v.Get("q", true, nil); return err },
		"consumer": func(v *VHost) error {
			c, err := v.Consume("q", ConsumerSpec{}, newInbox())
			if err != nil {
				return err
			}
			time.Sleep(250 * time.Millisecond)
			return c.Cancel()
		},
	}
	for name, use := range uses {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := newTestVHost(t)
				defer v.Close()
				declareQueue(t, v, "q", amqp.Table{"x-expires": int32(100)})
				for range 3 {
					time.Sleep(80 * time.Millisecond)
					must(t, use(v))
				}
				send(t, v, "", "q", "a publish is no use")
				time.Sleep(110 * time.Millisecond)
				synctest.Wait()
				_, err := v.queue("q")
				wantError(t, err, amqp.NotFound, "NOT_FOUND - no queue 'q' in vhost '/'")
			})
		})
	}
}

func TestCloseStopsClocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newTestVHost(t)
		declareQueue(t, v, "q", amqp.Table{"x-expires": int32(100)})
		v.Close()
		time.Sleep(time.Second)
		synctest.Wait()
		if _, err := v.queue("q"); err != nil {
			t.Error(err)
		}
	})
}
