package broker_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"thump/broker"
	"thump/broker/vhost"
	"thump/internal/config"
)

func declare(t *testing.T, ch *amqp.Channel, name string, durable bool, args amqp.Table) {
	t.Helper()
	_, err := ch.QueueDeclare(name, durable, false, false, false, args)
	must(t, err)
}

// bodies gets and acknowledges all ready messages.
func bodies(t *testing.T, ch *amqp.Channel, queue string) (list []string) {
	t.Helper()
	for {
		d, ok, err := ch.Get(queue, true)
		must(t, err)
		if !ok {
			return list
		}
		list = append(list, string(d.Body))
	}
}

func send(t *testing.T, ch *amqp.Channel, key string, m amqp.Publishing) {
	t.Helper()
	must(t, ch.PublishWithContext(t.Context(), "", key, false, false, m))
}

func TestDirectReplyTo(t *testing.T) {
	s := start(t)
	client, server := s.channel(t), s.channel(t)
	queue(t, server, "rpc")
	requests := consume(t, server, "rpc")
	replies, err := client.Consume("amq.rabbitmq.reply-to", "", true, false, false, false, nil)
	must(t, err)
	send(t, client, "rpc", amqp.Publishing{ReplyTo: "amq.rabbitmq.reply-to", CorrelationId: "7", Body: []byte("ask")})
	request := next(t, requests)
	if !strings.HasPrefix(request.ReplyTo, "amq.rabbitmq.reply-to.") {
		t.Fatalf("reply-to %q", request.ReplyTo)
	}
	send(t, server, request.ReplyTo, amqp.Publishing{CorrelationId: request.CorrelationId, Body: []byte("answer")})
	if d := next(t, replies); string(d.Body) != "answer" || d.CorrelationId != "7" || d.RoutingKey != request.ReplyTo {
		t.Errorf("got %+v", d)
	}
	must(t, client.Close())
	returned := server.NotifyReturn(make(chan amqp.Return, 1))
	must(t, server.PublishWithContext(t.Context(), "", request.ReplyTo, true, false, amqp.Publishing{}))
	if r := receive(t, returned); r.ReplyCode != 312 {
		t.Errorf("got %+v", r)
	}
}

func TestDirectReplyToRefusals(t *testing.T) {
	s := start(t)
	const replyTo = "amq.rabbitmq.reply-to"
	_, err := s.channel(t).Consume(replyTo, "", false, false, false, false, nil)
	wantException(t, err, 406, "PRECONDITION_FAILED - reply consumer cannot acknowledge")
	ch := s.channel(t)
	_, err = ch.Consume(replyTo, "", true, false, false, false, nil)
	must(t, err)
	_, err = ch.Consume(replyTo, "", true, false, false, false, nil)
	wantException(t, err, 406, "PRECONDITION_FAILED - reply consumer already set")
	_, err = s.channel(t).QueueDeclarePassive(replyTo+".nobody", false, false, false, false, nil)
	wantException(t, err, 404, "NOT_FOUND - no queue 'amq.rabbitmq.reply-to.nobody' in vhost '/'")
}

// TestRefusedMessages publishes what closes the channel.
func TestRefusedMessages(t *testing.T) {
	s := start(t)
	for text, m := range map[string]amqp.Publishing{
		"user_id property set to 'bob' but authenticated user was 'guest'": {UserId: "bob"},
		"fast reply consumer does not exist":                               {ReplyTo: "amq.rabbitmq.reply-to"},
		`invalid message: {unacceptable_type_in_header,"CC",longstr}`:      {Headers: amqp.Table{"CC": "key"}},
		`invalid message: {unacceptable_type_in_header,"BCC",signedint}`:   {Headers: amqp.Table{"BCC": int32(5)}},
	} {
		ch := s.channel(t)
		closed := ch.NotifyClose(make(chan *amqp.Error, 1))
		send(t, ch, "q", m)
		wantException(t, receive(t, closed), 406, "PRECONDITION_FAILED - "+text)
	}
	ch := s.channel(t)
	queue(t, ch, "q")
	send(t, ch, "q", amqp.Publishing{UserId: "guest", Body: []byte("own name")})
	if got := bodies(t, ch, "q"); len(got) != 1 {
		t.Errorf("got %q", got)
	}
}

func TestSenderSelectedDistribution(t *testing.T) {
	ch := start(t).channel(t)
	for _, name := range []string{"a", "b", "c"} {
		queue(t, ch, name)
	}
	send(t, ch, "a", amqp.Publishing{Headers: amqp.Table{"CC": []any{"b", "a"}, "BCC": []any{"c"}, "x": "y"}})
	for _, name := range []string{"a", "b", "c"} {
		d, ok, err := ch.Get(name, true)
		must(t, err)
		_, blind := d.Headers["BCC"]
		if !ok || blind || d.Headers["CC"] == nil || d.Headers["x"] != "y" || d.RoutingKey != "a" {
			t.Errorf("queue %s: %t %+v", name, ok, d)
		}
		if got := bodies(t, ch, name); len(got) != 0 {
			t.Errorf("queue %s has more: %q", name, got)
		}
	}
}

func TestConsumerPriority(t *testing.T) {
	ch := start(t).channel(t)
	queue(t, ch, "q")
	must(t, ch.Qos(2, 0, false))
	low, err := ch.Consume("q", "low", false, false, false, false, amqp.Table{"x-priority": -1})
	must(t, err)
	high, err := ch.Consume("q", "high", false, false, false, false, amqp.Table{"x-priority": 10})
	must(t, err)
	publish(t, ch, "", "q", "1", "2", "3")
	first := next(t, high)
	next(t, high)
	if d := next(t, low); string(d.Body) != "3" {
		t.Errorf("low priority got %s", d.Body)
	}
	must(t, first.Ack(false))
	publish(t, ch, "", "q", "4")
	if d := next(t, high); string(d.Body) != "4" {
		t.Errorf("high priority got %s", d.Body)
	}
	_, err = ch.Consume("q", "", false, false, false, false, amqp.Table{"x-priority": "a"})
	wantException(t, err, 406, `invalid arg 'x-priority' for queue 'q' in vhost '/': "expected integer, got longstr"`)
}

func TestSingleActiveConsumer(t *testing.T) {
	s := start(t)
	ch := s.channel(t)
	declare(t, ch, "q", false, amqp.Table{"x-single-active-consumer": true})
	active, err := ch.Consume("q", "first", true, false, false, false, nil)
	must(t, err)
	waiting, err := ch.Consume("q", "second", true, false, false, false, nil)
	must(t, err)
	publish(t, ch, "", "q", "1", "2")
	next(t, active)
	next(t, active)
	nothing(t, waiting)
	must(t, ch.Cancel("first", false))
	publish(t, ch, "", "q", "3")
	next(t, waiting)
	_, err = s.channel(t).Consume("q", "", true, true, false, false, nil)
	wantException(t, err, 403, "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use")
}

func TestPriorityQueue(t *testing.T) {
	s := start(t)
	ch := s.channel(t)
	declare(t, ch, "q", true, amqp.Table{"x-max-priority": 5})
	for _, m := range []amqp.Publishing{
		{Priority: 1, Body: []byte("low")}, {Body: []byte("none")}, {Priority: 9, Body: []byte("beyond")},
		{Priority: 5, Body: []byte("high")}, {Priority: 1, Body: []byte("low too")},
	} {
		m.DeliveryMode = amqp.Persistent
		send(t, ch, "q", m)
	}
	d, _, err := ch.Get("q", false)
	must(t, err)
	must(t, d.Nack(false, true)) // back to where it was
	want := []string{"beyond", "high", "low", "low too", "none"}
	must(t, s.stop())
	ch = startIn(t, s.dir).channel(t)
	if got := bodies(t, ch, "q"); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestDeliveryLimit restarts the broker in between: it counts on.
func TestDeliveryLimit(t *testing.T) {
	s := start(t)
	ch := s.channel(t)
	declare(t, ch, "q", true, amqp.Table{
		"x-queue-type": "quorum", "x-delivery-limit": 2,
		"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead",
	})
	durableQueue(t, ch, "dead")
	send(t, ch, "q", amqp.Publishing{DeliveryMode: amqp.Persistent})
	for i := range int64(3) {
		d, ok, err := ch.Get("q", false)
		must(t, err)
		if count, again := d.Headers["x-delivery-count"]; !ok || again != (i > 0) || again && count != i {
			t.Fatalf("delivery %d: %t, %v", i, ok, d.Headers)
		}
		must(t, d.Nack(false, true))
		if i == 1 {
			must(t, s.stop())
			s = startIn(t, s.dir)
			ch = s.channel(t)
		}
	}
	d, ok, err := ch.Get("dead", true)
	must(t, err)
	if !ok || d.Headers["x-first-death-reason"] != "delivery_limit" {
		t.Errorf("dead-lettered: %t, %v", ok, d.Headers)
	}
	if got := bodies(t, ch, "q"); len(got) != 0 {
		t.Errorf("%d are left", len(got))
	}
}

func TestConsumerTimeout(t *testing.T) {
	s := start(t, func(c *broker.Config) { c.ConsumerTimeout = config.Duration(200 * time.Millisecond) })
	conn := s.dial(t)
	ch, other := open(t, conn), open(t, conn)
	queue(t, ch, "q")
	publish(t, ch, "", "q", "1", "2")
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	got := consume(t, ch, "q")
	must(t, next(t, got).Ack(false))
	next(t, got) // never acknowledged
	wantException(t, receive(t, closed), 406, "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: 200 ms.")
	if got := bodies(t, other, "q"); len(got) != 1 || got[0] != "2" {
		t.Errorf("back in the queue: %q", got)
	}
}

// TestConsumerTimeoutOfAQueue has the consumer's timeout before the queue's and the policy's, and these before the
// broker's.
func TestConsumerTimeoutOfAQueue(t *testing.T) {
	s := start(t)
	must(t, s.SetPolicy("/", false, vhost.Policy{Name: "p", Pattern: "^policy", Definition: map[string]any{"consumer-timeout": 250.0}}))
	for _, c := range []struct {
		queue          string
		queueMS, ownMS any
		want           int
	}{{"argument", 300, nil, 300}, {"policy", nil, nil, 250}, {"policy.longer", 60000, nil, 250}, {"consumer", 60000, 200, 200}} {
		ch := s.channel(t)
		declare(t, ch, c.queue, false, timeoutArgument(c.queueMS))
		publish(t, ch, "", c.queue, "1", "2")
		closed := ch.NotifyClose(make(chan *amqp.Error, 1))
		got, err := ch.Consume(c.queue, "", false, false, false, false, timeoutArgument(c.ownMS))
		must(t, err)
		must(t, next(t, got).Ack(false))
		next(t, got) // never acknowledged
		wantException(t, receive(t, closed), 406, fmt.Sprintf("PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: %d ms.", c.want))
	}
	ch := s.channel(t)
	_, err := ch.QueueDeclare("argument", false, false, false, false, timeoutArgument(301))
	wantException(t, err, 406, "PRECONDITION_FAILED - inequivalent arg 'x-consumer-timeout' for queue 'argument' in vhost '/': received '301' but current is '300'")
}

func timeoutArgument(ms any) amqp.Table {
	if ms == nil {
		return nil
	}
	return amqp.Table{"x-consumer-timeout": ms}
}

func TestConsistentHashExchange(t *testing.T) {
	s := start(t)
	ch := s.channel(t)
	must(t, ch.ExchangeDeclare("hash", "x-consistent-hash", true, false, false, false, nil))
	counts := map[string]int{"a": 0, "b": 0, "c": 0}
	for name := range counts {
		durableQueue(t, ch, name)
		must(t, ch.QueueBind(name, "100", "hash", false, nil))
	}
	for range 2 { // the second round goes where the first went
		for i := range 3000 {
			publish(t, ch, "hash", fmt.Sprint("key", i), fmt.Sprint(i))
		}
	}
	for name := range counts {
		times := map[string]int{}
		for _, body := range bodies(t, ch, name) {
			times[body]++
		}
		for body, n := range times {
			if n != 2 {
				t.Fatalf("queue %s has %s %d times", name, body, n)
			}
		}
		if counts[name] = len(times); counts[name] < 500 {
			t.Errorf("queue %s has only %d of 3000", name, len(times))
		}
	}
	if got := counts["a"] + counts["b"] + counts["c"]; got != 3000 {
		t.Errorf("%d keys arrived", got)
	}
	must(t, s.stop())
	s = startIn(t, s.dir)
	for key, text := range map[string]string{"abc": `The binding key must be an integer: <<"abc">>`, "0": "The binding key must be greater than 0"} {
		wantException(t, s.channel(t).QueueBind("a", key, "hash", false, nil), 406, "PRECONDITION_FAILED - "+text)
	}
	for text, args := range map[string]amqp.Table{
		"hash-header and hash-property are mutually exclusive": {"hash-header": "a", "hash-property": "message_id"},
		"Unsupported property: foo":                            {"hash-property": "foo"},
	} {
		err := s.channel(t).ExchangeDeclare("x", "x-consistent-hash", false, false, false, false, args)
		wantException(t, err, 406, "PRECONDITION_FAILED - "+text)
	}
}
