package broker_test

import (
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"thump/broker/definitions"
	"thump/broker/vhost"
)

func TestPolicies(t *testing.T) {
	s := start(t)
	ch := s.channel(t)
	queue(t, ch, "dead")
	queue(t, ch, "work.a")
	declare(t, ch, "work.own", false, amqp.Table{"x-max-length": 1})
	publish(t, ch, "", "work.a", "1", "2", "3")
	policy := vhost.Policy{Name: "p", Pattern: "^work\\.", ApplyTo: "queues", Definition: map[string]any{
		"max-length": 2.0, "dead-letter-exchange": "", "dead-letter-routing-key": "dead",
	}}
	must(t, s.SetPolicy("/", false, policy)) // live: the first message falls out
	if got := bodies(t, ch, "dead"); len(got) != 1 || got[0] != "1" {
		t.Errorf("dead-lettered %q", got)
	}
	publish(t, ch, "", "work.own", "1", "2")
	if got := bodies(t, ch, "work.own"); len(got) != 1 {
		t.Errorf("the policy widens the queue's own argument: %q", got)
	}
	queue(t, ch, "work.late")
	publish(t, ch, "", "work.late", "1", "2", "3")
	if got := bodies(t, ch, "work.late"); len(got) != 2 {
		t.Errorf("a queue declared later holds %q", got)
	}

	must(t, s.SetPolicy("/", true, vhost.Policy{Name: "o", Pattern: "", Definition: map[string]any{"max-length": 1.0}}))
	if got := bodies(t, ch, "work.a"); len(got) != 1 || got[0] != "3" {
		t.Errorf("under the operator policy: %q", got)
	}
	must(t, s.stop())
	s = startIn(t, s.dir)
	ch = s.channel(t)
	queue(t, ch, "work.b")
	publish(t, ch, "", "work.b", "1", "2")
	if got := bodies(t, ch, "work.b"); len(got) != 1 {
		t.Errorf("after a restart: %q", got)
	}
	must(t, s.ClearPolicy("/", true, "o"))
	must(t, s.ClearPolicy("/", false, "p"))
	publish(t, ch, "", "work.b", "1", "2", "3")
	if got := bodies(t, ch, "work.b"); len(got) != 3 {
		t.Errorf("without policies: %q", got)
	}
}

func TestPolicyTimes(t *testing.T) {
	s := start(t)
	ch := s.channel(t)
	queue(t, ch, "ttl")
	queue(t, ch, "lease")
	publish(t, ch, "", "ttl", "1")
	must(t, s.SetPolicy("/", false, vhost.Policy{Name: "ttl", Pattern: "^ttl$", Definition: map[string]any{"message-ttl": 20.0}}))
	must(t, s.SetPolicy("/", false, vhost.Policy{Name: "lease", Pattern: "^lease$", Definition: map[string]any{"expires": 50.0}}))
	eventually(t, "the message expires and the queue goes", func() bool {
		state := s.Snapshot().VHosts[0]
		return state.Ready == 0 && state.Queues == 1
	})
}

func TestPolicyAlternateExchange(t *testing.T) {
	s := start(t)
	ch := s.channel(t)
	must(t, ch.ExchangeDeclare("x", "direct", false, false, false, false, nil))
	queue(t, ch, "unrouted")
	must(t, ch.QueueBind("unrouted", "", "amq.fanout", false, nil))
	must(t, s.SetPolicy("/", false, vhost.Policy{
		Name: "ae", Pattern: "^x$", ApplyTo: "exchanges", Definition: map[string]any{"alternate-exchange": "amq.fanout"},
	}))
	publish(t, ch, "x", "nowhere", "1")
	if got := bodies(t, ch, "unrouted"); len(got) != 1 {
		t.Errorf("got %q", got)
	}
}

func TestPolicyThatIsRefused(t *testing.T) {
	s := start(t)
	for _, p := range []vhost.Policy{
		{Name: "p", Pattern: "(", Definition: map[string]any{"max-length": 1.0}},
		{Name: "p", Pattern: ".*"},
		{Name: "p", Pattern: ".*", Definition: map[string]any{"max-length": "1"}},
		{Name: "p", Pattern: ".*", Definition: map[string]any{"no-such-thing": 1.0}},
		{Name: "p", Pattern: ".*", ApplyTo: "nothing", Definition: map[string]any{"max-length": 1.0}},
		{Name: "", Pattern: ".*", Definition: map[string]any{"max-length": 1.0}},
	} {
		if err := s.SetPolicy("/", false, p); err == nil {
			t.Errorf("%+v is taken", p)
		}
	}
	if err := s.SetPolicy("/", true, vhost.Policy{Name: "p", Definition: map[string]any{"dead-letter-exchange": ""}}); err == nil {
		t.Error("an operator policy with a dead-letter exchange is taken")
	}
}

func TestVHostLimits(t *testing.T) {
	s := start(t)
	ch := s.channel(t)
	one := 1
	must(t, s.SetLimits("/", vhost.Limits{MaxQueues: &one, MaxConnections: &one}))
	queue(t, ch, "first")
	_, err := ch.QueueDeclare("second", false, false, false, false, nil)
	wantException(t, err, 406, "PRECONDITION_FAILED - cannot declare queue 'second': queue limit in vhost '/' (1) is reached")
	_, err = amqp.Dial(s.url())
	wantException(t, err, 530, "NOT_ALLOWED - access to vhost '/' refused for user 'guest': connection limit (1) is reached")
	must(t, s.SetLimits("/", vhost.Limits{}))
	queue(t, s.channel(t), "second")
}

func TestPermissionsChangeUnderAConnection(t *testing.T) {
	s := start(t)
	must(t, s.AddUser("bob", "secret"))
	must(t, s.SetPermission("/", definitions.Permission{User: "bob", Configure: ".*", Write: ".*", Read: ".*"}))
	conn, err := amqp.Dial("amqp://bob:secret@" + s.Addr().String() + "/")
	must(t, err)
	defer conn.Close()
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	ch := open(t, conn)
	queue(t, ch, "q")
	must(t, ch.QueueBind("q", "#", "amq.topic", false, nil))
	publish(t, ch, "amq.topic", "a.b", "1")
	must(t, s.Definitions().SetTopicPermission("/", definitions.TopicPermission{
		User: "bob", Exchange: "amq.topic", Write: "^{username}\\.", Read: "^bob\\.",
	}))
	refused := ch.NotifyClose(make(chan *amqp.Error, 1))
	publish(t, ch, "amq.topic", "bob.x", "2")
	publish(t, ch, "amq.topic", "a.b", "3")
	wantException(t, receive(t, refused), 403, "ACCESS_REFUSED - write access to topic 'a.b' in exchange 'amq.topic' in vhost '/' refused for user 'bob'")
	ch = open(t, conn)
	if got := bodies(t, ch, "q"); len(got) != 2 {
		t.Errorf("got %q", got)
	}
	err = ch.QueueBind("q", "a.b", "amq.topic", false, nil)
	wantException(t, err, 403, "read access to topic 'a.b'")

	must(t, s.SetPermission("/", definitions.Permission{User: "bob"}))
	_, err = open(t, conn).QueueDeclare("q", false, false, false, false, nil)
	wantException(t, err, 403, "configure access to queue 'q' in vhost '/' refused for user 'bob'")
	must(t, s.DeleteUser("bob"))
	wantException(t, receive(t, closed), 320, "CONNECTION_FORCED - user 'bob' is deleted")
}

func TestVHostsAtRunTime(t *testing.T) {
	s := start(t)
	must(t, s.CreateVHost("other"))
	url := "amqp://guest:guest@" + s.Addr().String() + "/other"
	_, err := amqp.Dial(url)
	wantException(t, err, 530, "NOT_ALLOWED - access to vhost 'other' refused for user 'guest'")
	must(t, s.SetPermission("other", definitions.Permission{User: "guest", Configure: ".*", Write: ".*", Read: ".*"}))
	conn, err := amqp.Dial(url)
	must(t, err)
	defer conn.Close()
	ch := open(t, conn)
	must(t, ch.Confirm(false))
	durableQueue(t, ch, "q")
	c, err := ch.PublishWithDeferredConfirm("", "q", false, false, message(1))
	must(t, err)
	if !c.Wait() {
		t.Error("refused")
	}
	if _, err := s.channel(t).QueueDeclarePassive("q", true, false, false, false, nil); err == nil {
		t.Error("the queue is in the other virtual host too")
	}
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	must(t, s.DeleteVHost("other"))
	wantException(t, receive(t, closed), 320, "CONNECTION_FORCED - vhost 'other' is deleted")
	_, err = amqp.Dial(url)
	wantException(t, err, 530, "NOT_ALLOWED - vhost other not found")
	must(t, s.CreateVHost("other"))
	must(t, s.stop())
	if got := startIn(t, s.dir).Snapshot().VHosts; len(got) != 2 || got[1].Name != "other" || got[1].Queues != 0 {
		t.Errorf("after a restart: %+v", got)
	}
}
