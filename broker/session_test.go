package broker_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"thump/broker"
	"thump/internal/config"
)

func TestServerProperties(t *testing.T) {
	conn := start(t).dial(t)
	p := conn.Properties
	if p["product"] != "RabbitMQ" || p["version"] != "4.1.0" || p["thump_version"] != "test" || p["cluster_name"] != "thump" {
		t.Errorf("got %v", p)
	}
	capabilities, _ := p["capabilities"].(amqp.Table)
	for _, name := range []string{"publisher_confirms", "basic.nack", "consumer_cancel_notify", "connection.blocked", "exchange_exchange_bindings"} {
		if capabilities[name] != true {
			t.Errorf("capability %s is not announced", name)
		}
	}
	if got := conn.Config; got.ChannelMax != 2047 || got.FrameSize != 131072 || got.Heartbeat != 10*time.Second {
		t.Errorf("tuned to %+v", got)
	}
}

func TestLogin(t *testing.T) {
	s := start(t)
	addr := s.Addr().String()
	for _, url := range []string{"amqp://guest:guest@" + addr + "/", "amqp://guest:guest@" + addr + "/%2f"} {
		conn, err := amqp.Dial(url)
		if err != nil {
			t.Fatalf("dial %s: %v", url, err)
		}
		conn.Close()
	}
	conn, err := amqp.DialConfig("amqp://"+addr, amqp.Config{
		Vhost: "", SASL: []amqp.Authentication{&amqp.AMQPlainAuth{Username: "guest", Password: "guest"}},
	})
	must(t, err)
	conn.Close()

	_, err = amqp.Dial("amqp://guest:wrong@" + addr + "/")
	wantException(t, err, 403, "username or password not allowed")
	_, err = amqp.Dial("amqp://nobody:guest@" + addr + "/")
	wantException(t, err, 403, "username or password not allowed")
	_, err = amqp.Dial("amqp://guest:guest@" + addr + "/missing")
	wantException(t, err, 530, "NOT_ALLOWED - vhost missing not found")
	if got := s.metric(t, "logins_refused_total"); got != 2 {
		t.Errorf("%v logins refused, want 2", got)
	}
}

func TestPublishAndConsume(t *testing.T) {
	ch := start(t).channel(t)
	q := queue(t, ch, "")
	if !strings.HasPrefix(q.Name, "amq.gen-") {
		t.Errorf("server-named queue is %q", q.Name)
	}
	c := consume(t, ch, "") // the queue declared last
	stamp := time.Unix(1700000000, 0)
	for _, size := range []int{0, 1, 100, 131064, 131065, 300000} {
		body := bytes.Repeat([]byte("x"), size)
		must(t, ch.PublishWithContext(t.Context(), "", q.Name, false, false, amqp.Publishing{
			ContentType: "text/plain", Headers: amqp.Table{"n": int64(size)}, MessageId: "m", Timestamp: stamp, Body: body,
		}))
		d := next(t, c)
		if !bytes.Equal(d.Body, body) || d.ContentType != "text/plain" || d.Headers["n"] != int64(size) ||
			d.MessageId != "m" || !d.Timestamp.Equal(stamp) || d.RoutingKey != q.Name || d.Redelivered {
			t.Errorf("size %d: got %d bytes, %+v", size, len(d.Body), d)
		}
		must(t, d.Ack(false))
	}
}

func TestTopologyOfThePipeline(t *testing.T) {
	ch := start(t).channel(t)
	must(t, ch.ExchangeDeclare("thump.metrics", "fanout", true, false, false, false, nil))
	must(t, ch.ExchangeDeclare("thump.metrics.topic", "topic", true, false, false, false, nil))
	must(t, ch.ExchangeBind("thump.metrics.topic", "", "thump.metrics", false, nil))
	for name, key := range map[string]string{"all": "#", "disk": "*.web01.disk", "other": "*.web02.*"} {
		queue(t, ch, name)
		must(t, ch.QueueBind(name, key, "thump.metrics.topic", false, nil))
	}
	queue(t, ch, "history")
	must(t, ch.QueueBind("history", "", "thump.metrics", false, nil))
	publish(t, ch, "thump.metrics", "g.web01.disk", "batch")
	for name, want := range map[string]bool{"all": true, "disk": true, "other": false, "history": true} {
		d, got, err := ch.Get(name, true)
		must(t, err)
		if got != want || got && (d.RoutingKey != "g.web01.disk" || d.Exchange != "thump.metrics") {
			t.Errorf("queue %s: got %v %+v, want %v", name, got, d, want)
		}
	}
	must(t, ch.ExchangeUnbind("thump.metrics.topic", "", "thump.metrics", false, nil))
	publish(t, ch, "thump.metrics", "g.web01.disk", "batch")
	if _, got, err := ch.Get("all", true); err != nil || got {
		t.Errorf("after unbind: got %v, %v", got, err)
	}
}

func TestGet(t *testing.T) {
	ch := start(t).channel(t)
	q := queue(t, ch, "q")
	if _, ok, err := ch.Get(q.Name, false); ok || err != nil {
		t.Errorf("empty queue: got %v, %v", ok, err)
	}
	publish(t, ch, "", "q", "a", "b")
	d, ok, err := ch.Get(q.Name, false)
	if err != nil || !ok || string(d.Body) != "a" || d.MessageCount != 1 {
		t.Fatalf("got %+v, %v, %v", d, ok, err)
	}
	must(t, d.Nack(false, true))
	d, ok, err = ch.Get(q.Name, false)
	if err != nil || !ok || string(d.Body) != "a" || !d.Redelivered {
		t.Fatalf("after nack: got %+v, %v, %v", d, ok, err)
	}
	must(t, d.Ack(false))
	if n, err := ch.QueuePurge("q", false); n != 1 || err != nil {
		t.Errorf("purged %d, %v", n, err)
	}
}

func TestRedeliveryWhenAConnectionEnds(t *testing.T) {
	s := start(t)
	ch := s.channel(t)
	queue(t, ch, "q")
	publish(t, ch, "", "q", "a", "b", "c")
	conn := s.dial(t)
	c := consume(t, open(t, conn), "q")
	for range 3 {
		next(t, c)
	}
	conn.Close()
	c = consume(t, ch, "q")
	for _, want := range []string{"a", "b", "c"} {
		if d := next(t, c); string(d.Body) != want || !d.Redelivered {
			t.Errorf("got %s, redelivered %v, want %s again", d.Body, d.Redelivered, want)
		}
	}
}

func TestPrefetchIsSharedFairly(t *testing.T) {
	s := start(t)
	ch := s.channel(t)
	queue(t, ch, "q")
	var consumers []<-chan amqp.Delivery
	for range 2 {
		other := s.channel(t)
		must(t, other.Qos(3, 0, false))
		consumers = append(consumers, consume(t, other, "q"))
	}
	for i := range 10 {
		publish(t, ch, "", "q", fmt.Sprint(i))
	}
	var held []amqp.Delivery
	for i, c := range consumers {
		for n := range 3 {
			d := next(t, c)
			if want := fmt.Sprint(2*n + i); string(d.Body) != want {
				t.Errorf("consumer %d got %s, want %s", i, d.Body, want)
			}
			held = append(held, d)
		}
		nothing(t, c)
	}
	must(t, held[0].Ack(false))
	if d := next(t, consumers[0]); string(d.Body) != "6" {
		t.Errorf("after an ack: got %s, want 6", d.Body)
	}
	nothing(t, consumers[1])
}

func TestPrefetchOfTheWholeChannel(t *testing.T) {
	ch := start(t).channel(t)
	queue(t, ch, "a")
	queue(t, ch, "b")
	must(t, ch.Qos(2, 0, true))
	a, b := consume(t, ch, "a"), consume(t, ch, "b")
	publish(t, ch, "", "a", "1", "2", "3")
	publish(t, ch, "", "b", "4")
	d := next(t, a)
	next(t, a)
	nothing(t, a)
	nothing(t, b)
	must(t, d.Ack(true))
	next(t, a)
	must(t, ch.Qos(0, 0, true))
	next(t, b)
}

func TestSettlingInAnyOrder(t *testing.T) {
	srv := start(t)
	ch := srv.channel(t)
	queue(t, ch, "q")
	c := consume(t, ch, "q")
	publish(t, ch, "", "q", "1", "2", "3", "4", "5")
	var ds []amqp.Delivery
	for range 5 {
		ds = append(ds, next(t, c))
	}
	must(t, ds[2].Ack(false))
	must(t, ds[4].Reject(false))
	must(t, ds[1].Nack(true, true)) // 1 and 2 come back
	for _, want := range []string{"1", "2"} {
		if d := next(t, c); string(d.Body) != want || !d.Redelivered {
			t.Errorf("got %s, want %s again", d.Body, want)
		}
	}
	//lint:ignore SA1019 clients still send it
	must(t, ch.Recover(true))
	for _, want := range []string{"1", "2", "4"} {
		if d := next(t, c); string(d.Body) != want {
			t.Errorf("after recover: got %s, want %s", d.Body, want)
		}
	}
	must(t, ch.Ack(0, true))
	must(t, ch.Ack(0, true)) // nothing is left, which is no error
	queue(t, ch, "q")        // the acks have been handled
	if s := srv.Snapshot().VHosts[0]; s.Ready != 0 || s.Unacked != 0 {
		t.Errorf("%d ready and %d unacked remain", s.Ready, s.Unacked)
	}
}

func TestConsumerCancel(t *testing.T) {
	s := start(t)
	ch := s.channel(t)
	queue(t, ch, "q")
	c, err := ch.Consume("q", "tag", false, false, false, false, nil)
	must(t, err)
	must(t, ch.Cancel("tag", false))
	if _, ok := <-c; ok {
		t.Error("got a delivery after cancel")
	}
	publish(t, ch, "", "q", "x")
	if q := queue(t, ch, "q"); q.Messages != 1 || q.Consumers != 0 {
		t.Errorf("got %+v, want a message and no consumer", q)
	}
}

func TestConsumerCancelNotification(t *testing.T) {
	s := start(t)
	ch := s.channel(t)
	queue(t, ch, "q")
	cancelled := ch.NotifyCancel(make(chan string, 1))
	_, err := ch.Consume("q", "tag", false, false, false, false, nil)
	must(t, err)
	_, err = s.channel(t).QueueDelete("q", false, false, false)
	must(t, err)
	if tag := receive(t, cancelled); tag != "tag" {
		t.Errorf("cancelled %q", tag)
	}
	if got := s.metric(t, "consumers"); got != 0 {
		t.Errorf("%v consumers, want none", got)
	}
}

func TestExclusiveQueueBelongsToItsConnection(t *testing.T) {
	s := start(t)
	conn := s.dial(t)
	_, err := open(t, conn).QueueDeclare("mine", false, false, true, false, nil)
	must(t, err)
	other := s.dial(t)
	for name, use := range map[string]func(*amqp.Channel) error{
		"declare": func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare("mine", false, false, true, false, nil)
			return err
		},
		"passive": func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclarePassive("mine", false, false, true, false, nil)
			return err
		},
		"consume": func(ch *amqp.Channel) error {
			_, err := ch.Consume("mine", "", false, false, false, false, nil)
			return err
		},
		"delete": func(ch *amqp.Channel) error {
			_, err := ch.QueueDelete("mine", false, false, false)
			return err
		},
	} {
		err := use(open(t, other))
		if err == nil || !strings.Contains(err.Error(), "405") {
			t.Errorf("%s: got %v", name, err)
		}
		wantException(t, err, 405, "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'mine' in vhost '/'")
	}
	conn.Close()
	_, err = open(t, other).QueueDeclarePassive("mine", false, false, true, false, nil)
	wantException(t, err, 404, "NOT_FOUND - no queue 'mine' in vhost '/'")
}

func TestChannelExceptionsCloseTheChannelOnly(t *testing.T) {
	s := start(t)
	conn := s.dial(t)
	queue(t, open(t, conn), "q")
	for _, c := range []struct {
		name string
		do   func(*amqp.Channel) error
		code int
		text string
	}{
		{"redeclare differs", func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare("q", true, false, false, false, nil)
			return err
		}, 406, "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in vhost '/': received 'true' but current is 'false'"},
		{"no queue", func(ch *amqp.Channel) error {
			_, err := ch.Consume("none", "", false, false, false, false, nil)
			return err
		}, 404, "NOT_FOUND - no queue 'none' in vhost '/'"},
		{"no exchange", func(ch *amqp.Channel) error { return ch.QueueBind("q", "k", "none", false, nil) },
			404, "NOT_FOUND - no exchange 'none' in vhost '/'"},
		{"reserved name", func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare("amq.mine", false, false, false, false, nil)
			return err
		}, 403, "ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix 'amq.*'"},
		{"unknown tag", func(ch *amqp.Channel) error {
			closed := ch.NotifyClose(make(chan *amqp.Error, 1))
			must(t, ch.Ack(7, false))
			return receive(t, closed)
		}, 406, "PRECONDITION_FAILED - unknown delivery tag 7"},
		{"publish to no exchange", func(ch *amqp.Channel) error {
			closed := ch.NotifyClose(make(chan *amqp.Error, 1))
			publish(t, ch, "none", "k", "lost")
			return receive(t, closed)
		}, 404, "NOT_FOUND - no exchange 'none' in vhost '/'"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ch := open(t, conn)
			wantException(t, c.do(ch), c.code, c.text)
			if conn.IsClosed() {
				t.Fatal("the connection closed, too")
			}
		})
	}
	if got := s.metric(t, "channel_errors_total"); got != 6 {
		t.Errorf("%v channel errors, want 6", got)
	}
}

func TestConnectionExceptionsCloseTheConnection(t *testing.T) {
	s := start(t)
	for _, c := range []struct {
		name string
		do   func(*amqp.Channel) error
		code int
		text string
	}{
		{"flow off", func(ch *amqp.Channel) error { return ch.Flow(false) }, 540, "NOT_IMPLEMENTED - active=false"},
		//lint:ignore SA1019 clients still send it
		{"recover without requeue", func(ch *amqp.Channel) error { return ch.Recover(false) }, 540, "NOT_IMPLEMENTED - requeue=false"},
		{"tag used twice", func(ch *amqp.Channel) error {
			queue(t, ch, "q")
			for range 2 {
				if _, err := ch.Consume("q", "tag", false, false, false, false, nil); err != nil {
					return err
				}
			}
			return nil
		}, 530, "NOT_ALLOWED - attempt to reuse consumer tag 'tag'"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := s.dial(t)
			closed := conn.NotifyClose(make(chan *amqp.Error, 1))
			_ = c.do(open(t, conn))
			wantException(t, receive(t, closed), c.code, c.text)
		})
	}
	s.channel(t) // the broker serves on
}

func TestImmediateIsNotImplemented(t *testing.T) {
	conn := start(t).dial(t)
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	must(t, open(t, conn).PublishWithContext(t.Context(), "", "q", false, true, amqp.Publishing{}))
	wantException(t, receive(t, closed), 540, "NOT_IMPLEMENTED - immediate=true")
}

func TestMessageTooLargeClosesTheChannel(t *testing.T) {
	s := start(t, func(c *broker.Config) { c.MaxMessage = 1000 })
	conn := s.dial(t)
	ch := open(t, conn)
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	publish(t, ch, "", "q", strings.Repeat("x", 1001))
	wantException(t, receive(t, closed), 406, "message size 1001 is larger than configured max size 1000")
	ch = open(t, conn)
	q := queue(t, ch, "")
	publish(t, ch, "", q.Name, strings.Repeat("x", 1000))
}

func TestMandatoryIsReturnedBeforeItsConfirm(t *testing.T) {
	s := start(t)
	ch := s.channel(t)
	must(t, ch.Confirm(false))
	returned := ch.NotifyReturn(make(chan amqp.Return, 1))
	confirm, err := ch.PublishWithDeferredConfirm("", "nobody", true, false, amqp.Publishing{Body: []byte("x"), MessageId: "m"})
	must(t, err)
	if !confirm.Wait() {
		t.Error("refused, want confirmed")
	}
	select {
	case r := <-returned:
		if r.ReplyCode != 312 || r.ReplyText != "NO_ROUTE" || r.RoutingKey != "nobody" || r.MessageId != "m" || string(r.Body) != "x" {
			t.Errorf("got %+v", r)
		}
	default:
		t.Error("confirmed before it was returned")
	}
	if got := s.metric(t, "messages_returned_total"); got != 1 {
		t.Errorf("%v returned, want 1", got)
	}
}

func TestConfirms(t *testing.T) {
	s := start(t)
	ch := s.channel(t)
	must(t, ch.Confirm(false))
	_, err := ch.QueueDeclare("durable", true, false, false, false, nil)
	must(t, err)
	queue(t, ch, "transient")
	var all []*amqp.DeferredConfirmation
	for i := range 300 {
		key := []string{"durable", "transient", "nobody"}[i%3]
		c, err := ch.PublishWithDeferredConfirm("", key, false, false, amqp.Publishing{DeliveryMode: uint8(1 + i/2%2)})
		must(t, err)
		all = append(all, c)
	}
	for i, c := range all {
		if !c.Wait() {
			t.Fatalf("publish %d refused", i)
		}
	}
	eventually(t, "all counted", func() bool { return s.metric(t, "messages_confirmed_total") == 300 })
}

func TestFullQueueRefusesPublishes(t *testing.T) {
	ch := start(t).channel(t)
	must(t, ch.Confirm(false))
	_, err := ch.QueueDeclare("q", false, false, false, false, amqp.Table{"x-max-length": int32(2), "x-overflow": "reject-publish"})
	must(t, err)
	for i, want := range []bool{true, true, false, false} {
		c, err := ch.PublishWithDeferredConfirm("", "q", false, false, amqp.Publishing{})
		must(t, err)
		if got := c.Wait(); got != want {
			t.Errorf("publish %d: got %v, want %v", i, got, want)
		}
	}
}

func TestRejectedGoesToTheDeadLetterQueue(t *testing.T) {
	ch := start(t).channel(t)
	queue(t, ch, "dead")
	_, err := ch.QueueDeclare("q", false, false, false, false, amqp.Table{
		"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead",
	})
	must(t, err)
	publish(t, ch, "", "q", "bad")
	must(t, next(t, consume(t, ch, "q")).Reject(false))
	d := next(t, consume(t, ch, "dead"))
	deaths, _ := d.Headers["x-death"].([]any)
	if string(d.Body) != "bad" || len(deaths) != 1 || d.Headers["x-first-death-reason"] != "rejected" {
		t.Errorf("got %s with %v", d.Body, d.Headers)
	}
}

func TestUpdateSecret(t *testing.T) {
	must(t, start(t).dial(t).UpdateSecret("new", "rotated"))
}

func TestHeartbeatsKeepAnIdleConnection(t *testing.T) {
	s := start(t)
	conn, err := amqp.DialConfig(s.url(), amqp.Config{Heartbeat: time.Second})
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	select {
	case err := <-closed:
		t.Fatal("the connection ended:", err)
	case <-time.After(4 * time.Second): // either side alone would give up
	}
	queue(t, open(t, conn), "q")
}

func TestAutoDeleteQueueGoesWithItsLastConsumer(t *testing.T) {
	s := start(t)
	ch := s.channel(t)
	_, err := ch.QueueDeclare("auto", false, true, false, false, nil)
	must(t, err)
	conn := s.dial(t)
	consume(t, open(t, conn), "auto")
	conn.Close()
	_, err = ch.QueueDeclarePassive("auto", false, true, false, false, nil)
	wantException(t, err, 404, "no queue 'auto'")
}

func TestShutdownTellsClients(t *testing.T) {
	s := start(t)
	conn := s.dial(t)
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	began := time.Now()
	must(t, s.stop())
	wantException(t, receive(t, closed), 320, "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'")
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("shutdown took %s", took)
	}
}

func TestSnapshot(t *testing.T) {
	s := start(t)
	ch := s.channel(t)
	queue(t, ch, "q")
	publish(t, ch, "", "q", "x")
	queue(t, ch, "q") // the publish has been handled
	snap := s.Snapshot()
	if len(snap.Connections) != 1 || len(snap.VHosts) != 1 {
		t.Fatalf("got %+v", snap)
	}
	if c := snap.Connections[0]; c.User != "guest" || c.VHost != "/" || c.Channels != 1 || c.Received == 0 || c.Sent == 0 || c.Client == "" {
		t.Errorf("connection: got %+v", c)
	}
	if v := snap.VHosts[0]; v.Name != "/" || v.Ready != 1 || len(v.QueueList) != 1 || v.QueueList[0].Ready != 1 {
		t.Errorf("vhost: got %+v", v)
	}
}

func TestMaxConnections(t *testing.T) {
	s := start(t, func(c *broker.Config) { c.MaxConnections = 1 })
	s.dial(t)
	if conn, err := amqp.Dial(s.url()); err == nil {
		conn.Close()
		t.Error("a second connection was let in")
	}
	if got := s.metric(t, "connections_refused_total"); got != 1 {
		t.Errorf("%v refused, want 1", got)
	}
}

func TestConfigIsChecked(t *testing.T) {
	valid := broker.DefaultConfig()
	valid.DataDir = "x"
	must(t, valid.Validate())
	for name, change := range map[string]func(*broker.Config){
		"no folder":        func(c *broker.Config) { c.DataDir = "" },
		"no address":       func(c *broker.Config) { c.AMQP = nil },
		"half a heartbeat": func(c *broker.Config) { c.Heartbeat = config.Duration(1500 * time.Millisecond) },
		"small frames":     func(c *broker.Config) { c.FrameMax = 4096 },
		"no channels":      func(c *broker.Config) { c.ChannelMax = 0 },
		"huge messages":    func(c *broker.Config) { c.MaxMessage = 1 << 30 },
		"no connections":   func(c *broker.Config) { c.MaxConnections = 0 },
	} {
		cfg := valid
		change(&cfg)
		if cfg.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
