package vhost

import (
	"strings"
	"testing"

	"thump/broker/amqp"
)

func TestServerNamedQueue(t *testing.T) {
	v := newTestVHost(t)
	a, err := v.DeclareQueue(QueueSpec{}, nil)
	must(t, err)
	b, err := v.DeclareQueue(QueueSpec{}, nil)
	must(t, err)
	if !strings.HasPrefix(a.Name, "amq.gen-") || len(a.Name) != len("amq.gen-")+22 || a.Name == b.Name {
		t.Errorf("names %q and %q", a.Name, b.Name)
	}
	again, err := v.DeclareQueue(QueueSpec{Name: a.Name}, nil)
	must(t, err)
	if again.Name != a.Name {
		t.Errorf("redeclared as %q", again.Name)
	}
}

func TestQueueEquivalence(t *testing.T) {
	args := amqp.Table{"x-max-length": int32(10), "x-dead-letter-exchange": "dlx", "harmless": "1"}
	const start = "PRECONDITION_FAILED - inequivalent arg "
	cases := []struct {
		name string
		spec QueueSpec
		want string // "" for fine
	}{
		{"same", QueueSpec{Args: args}, ""},
		{"unknown argument differs", QueueSpec{Args: amqp.Table{"x-max-length": int32(10), "x-dead-letter-exchange": "dlx"}}, ""},
		{"integer of another width", QueueSpec{Args: amqp.Table{"x-max-length": int64(10), "x-dead-letter-exchange": "dlx"}}, ""},
		{"default type said", QueueSpec{Args: amqp.Table{"x-max-length": int64(10), "x-dead-letter-exchange": "dlx", "x-queue-type": "classic"}}, ""},
		{"durable", QueueSpec{Durable: true, Args: args}, start + "'durable' for queue 'x' in vhost '/': received 'true' but current is 'false'"},
		{"auto-delete", QueueSpec{AutoDelete: true, Args: args}, start + "'auto_delete' for queue 'x' in vhost '/': received 'true' but current is 'false'"},
		{"no arguments", QueueSpec{}, start + "'x-dead-letter-exchange' for queue 'x' in vhost '/': received none but current is the value 'dlx' of type 'longstr'"},
		{"value", QueueSpec{Args: amqp.Table{"x-max-length": int32(11), "x-dead-letter-exchange": "dlx"}}, start + "'x-max-length' for queue 'x' in vhost '/': received '11' but current is '10'"},
		{"type of a number", QueueSpec{Args: amqp.Table{"x-max-length": float64(10), "x-dead-letter-exchange": "dlx"}}, start + "'x-max-length' for queue 'x' in vhost '/': received '10' but current is '10'"},
		{"new argument", QueueSpec{Args: amqp.Table{"x-max-length": int32(10), "x-dead-letter-exchange": "dlx", "x-overflow": "drop-head"}}, start + "'x-overflow' for queue 'x' in vhost '/': received the value 'drop-head' of type 'longstr' but current is none"},
	}
	v := newTestVHost(t)
	declareQueue(t, v, "x", args)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.spec.Name = "x"
			_, err := v.DeclareQueue(c.spec, nil)
			if c.want == "" {
				must(t, err)
				return
			}
			wantError(t, err, amqp.PreconditionFailed, c.want)
		})
	}
}

func TestQueueArguments(t *testing.T) {
	invalid := func(arg, problem string) string {
		return "PRECONDITION_FAILED - invalid arg '" + arg + "' for queue 'q' in vhost '/': " + problem
	}
	cases := []struct {
		args amqp.Table
		code uint16
		want string
	}{
		{amqp.Table{"x-max-length": int32(-1)}, 406, invalid("x-max-length", "{value_negative,-1}")},
		{amqp.Table{"x-max-length": "7"}, 406, invalid("x-max-length", `"expected integer, got longstr"`)},
		{amqp.Table{"x-dead-letter-exchange": int32(1)}, 406, "PRECONDITION_FAILED - invalid type 'signedint' for arg 'x-dead-letter-exchange' in queue 'q' in vhost '/'"},
		{amqp.Table{"x-dead-letter-routing-key": "k"}, 406, invalid("x-dead-letter-routing-key", "routing_key_but_no_dlx_defined")},
		{amqp.Table{"x-queue-type": "quorum"}, 406, "PRECONDITION_FAILED - invalid property 'non-durable' for queue 'q' in vhost '/'"},
		{amqp.Table{"x-queue-type": "stream"}, 540, "NOT_IMPLEMENTED - queue type 'stream' of queue 'q' in vhost '/' is not supported"},
		{amqp.Table{"x-message-ttl": int64(1) << 40}, 406, invalid("x-message-ttl", "{value_too_large,1099511627776}")},
		{amqp.Table{"x-max-priority": int32(256)}, 406, "PRECONDITION_FAILED - invalid arg 'x-max-priority' for queue 'q' in vhost '/': {max_value_exceeded,256}"},
		{amqp.Table{"x-max-priority": "a"}, 406, "PRECONDITION_FAILED - invalid arg 'x-max-priority' for queue 'q' in vhost '/': \"expected integer, got longstr\""},
		{amqp.Table{"x-delivery-limit": int32(1)}, 406, "PRECONDITION_FAILED - invalid arg 'x-delivery-limit' for queue 'q' in vhost '/' of queue type rabbit_classic_queue"},
		{amqp.Table{"x-single-active-consumer": "a"}, 406, "PRECONDITION_FAILED - invalid arg 'x-single-active-consumer' for queue 'q' in vhost '/': {unacceptable_type,longstr}"},
		{amqp.Table{"x-queue-mode": "lazy", "x-unknown": true, "mine": nil}, 0, ""},
	}
	for _, c := range cases {
		v := newTestVHost(t)
		_, err := v.DeclareQueue(QueueSpec{Name: "q", Args: c.args}, nil)
		if c.code == 0 {
			must(t, err)
			continue
		}
		wantError(t, err, c.code, c.want)
		if _, err := v.queue("q"); err == nil {
			t.Errorf("%v: the queue exists", c.args)
		}
	}
}

func TestExclusiveQueue(t *testing.T) {
	const locked = "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be originally " +
		"declared on another connection or the exclusive property value does not match that of the original declaration."
	v := newTestVHost(t)
	mine, other := &Owner{}, &Owner{}
	_, err := v.DeclareQueue(QueueSpec{Name: "q", Exclusive: true}, mine)
	must(t, err)
	_, err = v.DeclareQueue(QueueSpec{Name: "q", Exclusive: true}, mine)
	must(t, err)
	must(t, v.BindQueue("q", "amq.direct", "k", nil, mine))
	box := newInbox()
	consume(t, v, "q", ConsumerSpec{Owner: mine}, box)

	for name, attempt := range map[string]func() error{
		"declare":         func() error { _, err := v.DeclareQueue(QueueSpec{Name: "q", Exclusive: true}, other); return err },
		"declare passive": func() error { _, err := v.DeclareQueue(QueueSpec{Name: "q", Passive: true}, other); return err },
		"declare shared":  func() error { _, err := v.DeclareQueue(QueueSpec{Name: "q"}, mine); return err },
		"bind":            func() error { return v.BindQueue("q", "amq.direct", "k", nil, other) },
		"unbind":          func() error { return v.UnbindQueue("q", "amq.direct", "k", nil, other) },
		"consume":         func() error { _, err := v.Consume("q", ConsumerSpec{Owner: other}, newInbox()); return err },
		"get":             func() error { _, _, _, err := v.Get("q", true, other); return err },
		"purge":           func() error { _, err := v.PurgeQueue("q", other); return err },
		"delete":          func() error { _, err := v.DeleteQueue("q", false, false, other); return err },
	} {
		t.Run(name, func(t *testing.T) { wantError(t, attempt(), amqp.ResourceLocked, locked) })
	}
	if n := send(t, v, "amq.direct", "k", "from anybody"); n != 1 {
		t.Errorf("routed to %d queues, want 1", n)
	}
	must(t, v.CloseOwner(other))
	if _, err := v.queue("q"); err != nil {
		t.Errorf("gone with somebody else's connection: %v", err)
	}
	must(t, v.CloseOwner(mine))
	_, err = v.queue("q")
	wantError(t, err, amqp.NotFound, "NOT_FOUND - no queue 'q' in vhost '/'")
	if len(v.Bindings()) != 0 {
		t.Errorf("bindings left: %v", v.Bindings())
	}
}

func TestDeleteAndPurge(t *testing.T) {
	v := newTestVHost(t)
	declareQueue(t, v, "q", nil)
	send(t, v, "", "q", "1")
	_, err := v.DeleteQueue("q", false, true, nil)
	wantError(t, err, amqp.PreconditionFailed, "PRECONDITION_FAILED - queue 'q' in vhost '/' not empty")
	n, err := v.PurgeQueue("q", nil)
	must(t, err)
	if n != 1 {
		t.Errorf("purged %d, want 1", n)
	}
	c := consume(t, v, "q", ConsumerSpec{}, newInbox())
	_, err = v.DeleteQueue("q", true, true, nil)
	wantError(t, err, amqp.PreconditionFailed, "PRECONDITION_FAILED - queue 'q' in vhost '/' in use")
	must(t, c.Cancel())
	_, err = v.DeleteQueue("q", true, true, nil)
	must(t, err)
	_, err = v.DeleteQueue("q", true, true, nil)
	must(t, err)
	_, err = v.PurgeQueue("q", nil)
	wantError(t, err, amqp.NotFound, "NOT_FOUND - no queue 'q' in vhost '/'")
	_, err = v.DeclareQueue(QueueSpec{Name: "amq.q"}, nil)
	wantError(t, err, amqp.AccessRefused, "ACCESS_REFUSED - queue name 'amq.q' contains reserved prefix 'amq.*'")
}
