package management_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// TestRabbitmqadmin goes through everything that Debian's rabbitmqadmin can do.
func TestRabbitmqadmin(t *testing.T) {
	w := newWorld(t)
	ch := w.dial()
	steps := []struct {
		args  string
		stdin string
		want  string // all of the output, unless it begins with …
	}{
		{args: "declare vhost name=v2", want: "vhost declared"},
		{args: "declare user name=bob password=secret tags=monitoring", want: "user declared"},
		{args: "declare permission vhost=v2 user=bob configure=.* write=.* read=.*", want: "permission declared"},
		{args: "declare exchange name=logs type=topic", want: "exchange declared"},
		{args: "declare queue name=q durable=true arguments={\"x-max-length\":3}", want: "queue declared"},
		{args: "declare queue name=other durable=false", want: "queue declared"},
		{args: "declare binding source=logs destination=q routing_key=a.#", want: "binding declared"},
		{args: "declare binding source=logs destination=amq.fanout destination_type=exchange routing_key=x/%41~", want: "binding declared"},
		{args: "declare policy name=p pattern=^oth definition={\"max-length\":2} priority=1 apply-to=queues", want: "policy declared"},
		{args: "declare operator_policy name=o pattern=^none definition={\"max-length\":2} priority=1 apply-to=queues", want: "operator_policy declared"},
		{args: "declare vhost_limit vhost=v2 name=max-connections value=5", want: "vhost_limit declared"},

		{args: "publish exchange=logs routing_key=a.b payload=one", want: "Message published"},
		{args: "publish routing_key=q payload=two properties={\"delivery_mode\":2,\"headers\":{\"k\":1}}", want: "Message published"},
		{args: "publish routing_key=q", stdin: "three", want: "Message published"},
		{args: "publish routing_key=nowhere payload=x", want: "Message published but NOT routed"},
		{args: "list queues name messages arguments.x-max-length", want: "name\tmessages\targuments.x-max-length\nother\t0\t\nq\t3\t3"},
		{args: "get queue=q count=1 ackmode=ack_requeue_true", want: "routing_key\texchange\tmessage_count\tpayload\tpayload_bytes\tpayload_encoding\tproperties\tredelivered\n" +
			"a.b\tlogs\t2\tone\t3\tstring\t\tFalse"},
		{args: "get queue=q count=2 ackmode=ack_requeue_false", want: "…"},
		{args: "list queues name messages", want: "name\tmessages\nother\t0\nq\t1"},
		{args: "purge queue name=q", want: "queue purged"},
		{args: "list queues name messages_ready", want: "name\tmessages_ready\nother\t0\nq\t0"},

		{args: "list vhosts name", want: "name\n/\nv2"},
		{args: "list users name tags", want: "name\ttags\nbob\tmonitoring\nguest\tadministrator"},
		{args: "list permissions user vhost configure", want: "user\tvhost\tconfigure\nguest\t/\t.*\nbob\tv2\t.*\nguest\tv2\t.*"},
		{args: "list exchanges vhost name type", want: "…\n/\tlogs\ttopic"},
		{args: "list bindings source destination routing_key", want: "source\tdestination\trouting_key\n\tother\tother\n\tq\tq\nlogs\tamq.fanout\tx/%41~\nlogs\tq\ta.#"},
		{args: "list connections user vhost channels", want: "user\tvhost\tchannels\nguest\t/\t1"},
		{args: "list channels user number", want: "user\tnumber\nguest\t1"},
		{args: "list consumers", want: "No items"},
		{args: "list nodes running", want: "running\nTrue"},
		{args: "list policies name pattern priority", want: "name\tpattern\tpriority\np\t^oth\t1"},
		{args: "list operator_policies name", want: "name\no"},
		{args: "list parameters component name", want: "component\tname\noperator_policy\to\nvhost-limits\tlimits"},
		{args: "list vhost_limits vhost", want: "vhost\nv2"},
		{args: "show overview", want: "…"},

		{args: "delete binding source=logs destination_type=queue destination=q properties_key=a.%23", want: "binding deleted"},
		{args: "delete binding source=logs destination_type=exchange destination=amq.fanout properties_key=x%2F%2541%7E", want: "binding deleted"},
		{args: "list bindings source", want: "source\n\n"},
		{args: "delete policy name=p", want: "policy deleted"},
		{args: "delete operator_policy name=o", want: "operator_policy deleted"},
		{args: "delete exchange name=logs", want: "exchange deleted"},
		{args: "delete queue name=other", want: "queue deleted"},
		{args: "delete permission vhost=v2 user=bob", want: "permission deleted"},
		{args: "delete user name=bob", want: "user deleted"},
		{args: "delete vhost_limit vhost=v2 name=max-connections", want: "vhost_limit deleted"},
		{args: "delete vhost name=v2", want: "vhost deleted"},
	}
	for _, s := range steps {
		got := w.admin(s.stdin, strings.Split(s.args, " ")...)
		if rest, some := strings.CutPrefix(s.want, "…"); some && strings.Contains(got, rest) || got == strings.TrimRight(s.want, "\n") {
			continue
		}
		t.Errorf("rabbitmqadmin %s prints\n%q, want\n%q", s.args, got, s.want)
	}
	if err := ch.Close(); err != nil {
		t.Error(err)
	}
}

func TestRabbitmqadminExportAndImport(t *testing.T) {
	from := newWorld(t)
	for _, args := range []string{
		"declare vhost name=v2", "declare user name=bob password=secret tags=management",
		"declare permission vhost=v2 user=bob configure=a write=b read=c",
		"declare exchange name=x type=headers", "declare queue name=q arguments={\"x-message-ttl\":5000}",
		"declare binding source=x destination=q arguments={\"x-match\":\"all\",\"n\":7}",
		"declare policy name=p pattern=.* definition={\"max-length\":9}",
	} {
		from.admin("", strings.Split(args, " ")...)
	}
	file := filepath.Join(t.TempDir(), "definitions.json")
	from.admin("", "export", file)

	to := newWorld(t)
	to.admin("", "import", file)
	for _, path := range []string{
		"/api/definitions", "/api/users", "/api/permissions", "/api/bindings", "/api/policies",
		"/api/queues?columns=name,arguments,durable,policy", "/api/exchanges?columns=name,vhost,type",
	} {
		if got, want := to.must(200, "GET", path, ""), from.must(200, "GET", path, ""); got != want {
			t.Errorf("%s after the import:\n%s\nbefore the export:\n%s", path, got, want)
		}
	}
	if status, _, _ := to.ask("bob:secret", "GET", "/api/whoami", ""); status != 200 {
		t.Errorf("bob's password does not open after the import: %d", status)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
}

func TestRabbitmqadminClosesAConnection(t *testing.T) {
	w := newWorld(t)
	ch := w.dial()
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	name := read[[]struct{ Name string }](w, "/api/connections")[0].Name
	w.admin("", "close", "connection", "name="+name)
	e := <-closed
	if e == nil || e.Code != 320 || e.Reason != "CONNECTION_FORCED - Closed via management plugin" {
		t.Errorf("the client hears %v", e)
	}
	eventually(t, "the connection has left the list", func() bool { return len(read[[]any](w, "/api/connections")) == 0 })
}
