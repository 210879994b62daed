package management_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"thump/broker/management"
)

// TestAnswers holds status and body of what goes wrong, and the status of what
// goes right, to what RabbitMQ 3.10 and its management plugin answered.
func TestAnswers(t *testing.T) {
	w := newWorld(t)
	const gone = `{"error":"Object Not Found","reason":"Not Found"}`
	bad := func(reason string) string { return `{"error":"bad_request","reason":` + reason + `}` }
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string // the answer's body; "": whatever
	}{
		{"PUT", "/api/vhosts/v2", `{"description":"d"}`, 201, ""},
		{"PUT", "/api/vhosts/v2", ``, 204, ""},
		{"PUT", "/api/users/u1", `{"password":"p","tags":"management"}`, 201, ""},
		{"PUT", "/api/users/u1", `{"password":"p","tags":["management"]}`, 204, ""},
		{"PUT", "/api/users/u3", `{}`, 400, bad(`"tags_not_present"`)},
		{"PUT", "/api/permissions/%2F/u1", `{"configure":".*","write":".*","read":"^q"}`, 201, ""},
		{"PUT", "/api/permissions/%2F/nobody", `{"configure":".*","write":".*","read":".*"}`, 400, bad(`"vhost_or_user_not_found"`)},
		{"PUT", "/api/permissions/%2F/u1", `{"configure":".*","write":".*"}`, 400, bad(`"[{key_missing,read}]"`)},
		{"PUT", "/api/permissions/%2F/u1", `{"configure":"(","write":".*","read":""}`, 400, ""},
		{"PUT", "/api/exchanges/%2F/x1", `{"type":"topic","durable":true}`, 201, ""},
		{"PUT", "/api/exchanges/%2F/x1", `{"type":"topic","durable":"true"}`, 204, ""},
		{"PUT", "/api/exchanges/%2F/x1", `{"type":"fanout"}`, 400, bad(`"inequivalent arg 'type' for exchange 'x1' in vhost '/': received 'fanout' but current is 'topic'"`)},
		{"PUT", "/api/exchanges/%2F/amq.foo", `{"type":"fanout"}`, 401, `{"error":"not_authorised","reason":"Access refused."}`},
		{"PUT", "/api/queues/%2F/q1", `{"durable":true}`, 201, ""},
		{"PUT", "/api/queues/%2F/q1", `{"durable":false}`, 400, bad(`"inequivalent arg 'durable' for queue 'q1' in vhost '/': received 'false' but current is 'true'"`)},
		{"PUT", "/api/queues/%2F/q2", `{"durable":"nope"}`, 400, bad(`["not_boolean","nope"]`)},
		{"PUT", "/api/queues/%2F/q2", `{"durable"`, 400, bad(`"not_json"`)},
		{"PUT", "/api/queues/none/q2", `{}`, 404, `{"error":"not_found","reason":"vhost_not_found"}`},
		{"POST", "/api/bindings/%2F/e/x1/q/q1", `{"routing_key":"a.#"}`, 201, ""},
		{"POST", "/api/bindings/%2F/e/x1/q/none", `{"routing_key":"e"}`, 404, `{"error":"not_found","reason":"no queue 'none' in vhost '/'"}`},
		{"PUT", "/api/policies/%2F/p2", `{"definition":{"max-length":5}}`, 400, bad(`"[{key_missing,pattern}]"`)},
		{"PUT", "/api/policies/%2F/p2", `{"pattern":"x","definition":{"nonesuch":5}}`, 400, ""},
		{"POST", "/api/exchanges/%2F/amq.default/publish", `{"properties":{"priority":"3"},"routing_key":"q1","payload":"","payload_encoding":"string"}`, 400, bad(`["not_int","priority"]`)},
		{"POST", "/api/exchanges/%2F/amq.default/publish", `{"properties":{},"routing_key":"q1","payload":"x","payload_encoding":"rot13"}`, 400, bad(`["unsupported_encoding","rot13"]`)},
		{"POST", "/api/exchanges/%2F/nonesuch/publish", `{"properties":{},"routing_key":"q1","payload":"x","payload_encoding":"string"}`, 400, bad(`"404 NOT_FOUND - no exchange 'nonesuch' in vhost '/'"`)},
		{"POST", "/api/exchanges/%2F/amq.default/publish", `{"properties":{},"routing_key":"nowhere","payload":"x","payload_encoding":"string"}`, 200, `{"routed":false}`},
		{"POST", "/api/exchanges/%2F/amq.default/publish", `{"properties":[],"routing_key":"q1","payload":"x","payload_encoding":"string"}`, 200, `{"routed":true}`},
		{"POST", "/api/queues/%2F/q1/get", `{"count":1}`, 400, bad(`"[{key_missing,ackmode},{key_missing,encoding}]"`)},
		{"GET", "/api/queues/%2F/none", ``, 404, gone},
		{"GET", "/api/nonesuch", ``, 404, gone},
		{"DELETE", "/api/overview", ``, 405, ""},
		{"GET", "/api/queues?page=9&page_size=1", ``, 400, `{"error":"page_out_of_range","reason":"Page out of range, page: 9 page size: 1, len: 1"}`},
		{"GET", "/api/queues?page=x", ``, 400, bad(`"Pagination parameters are invalid"`)},
		{"GET", "/api/health/checks/protocol-listener/amqp", ``, 200, `{"protocol":"amqp","status":"ok"}`},
		{"GET", "/api/health/checks/port-listener/1", ``, 503, ""},
		{"GET", "/api/aliveness-test/%2F", ``, 200, `{"status":"ok"}`},
		{"POST", "/api/queues/%2F/q1/actions", `{"action":"sync"}`, 204, ""},
		{"POST", "/api/queues/%2F/q1/actions", `{"action":"foo"}`, 400, bad(`["unknown","foo"]`)},
		{"DELETE", "/api/exchanges/%2F/x1?if-unused=true", ``, 400, bad(`"exchange 'x1' in vhost '/' in use"`)},
		{"DELETE", "/api/queues/%2F/q1?if-empty=true", ``, 400, bad(`"queue 'q1' in vhost '/' not empty"`)},
		{"DELETE", "/api/queues/%2F/q1/contents", ``, 204, ""},
		{"DELETE", "/api/exchanges/%2F/amq.fanout", ``, 401, `{"error":"not_authorised","reason":"Access refused."}`},
		{"DELETE", "/api/connections/none", ``, 404, gone},
		{"GET", "/api/connections/", ``, 200, `[]`}, // the slash at the end is nothing
		{"PUT", "/api/user-limits/u1/max-connections", `{"value":1}`, 204, ""},
		{"PUT", "/api/user-limits/u1/max-channels", `{"value":"2"}`, 204, ""},
		{"PUT", "/api/user-limits/u1/nonesuch", `{"value":1}`, 400, ""},
		{"PUT", "/api/user-limits/u1/max-channels", `{}`, 400, ""},
		{"PUT", "/api/user-limits/nobody/max-channels", `{"value":1}`, 400, bad(`["no_such_user","nobody"]`)},
		{"GET", "/api/user-limits", ``, 200, `[{"user":"u1","value":{"max-channels":2,"max-connections":1}}]`},
		{"PUT", "/api/users/u1", `{"password":"new","tags":"management"}`, 204, ""},
		{"GET", "/api/user-limits/u1", ``, 200, `[{"user":"u1","value":{"max-channels":2,"max-connections":1}}]`},
		{"DELETE", "/api/user-limits/u1/max-connections", ``, 204, ""},
		{"GET", "/api/user-limits/u1", ``, 200, `[{"user":"u1","value":{"max-channels":2}}]`},
		{"POST", "/api/definitions", `{"users":[{"name":"u1","tags":"management","limits":{"max-channels":7}}]}`, 204, ""},
		{"GET", "/api/users/u1?columns=limits", ``, 200, `{"limits":{"max-channels":7}}`},
		{"GET", "/api/user-limits/nobody", ``, 404, gone},
		{"POST", "/api/users/bulk-delete", `{"users":["u1","u2"]}`, 204, ""},
		{"POST", "/api/definitions", `{"users":[{"name":"x"}]}`, 400, bad(`"tags_not_present"`)},
		{"DELETE", "/api/vhosts/v2", ``, 204, ""},
		{"DELETE", "/api/vhosts/v2", ``, 404, gone},
	} {
		status, body, _ := w.ask("", c.method, c.path, c.body)
		if status != c.status || c.want != "" && body != c.want {
			t.Errorf("%s %s %s:\n%d %s, want\n%d %s", c.method, c.path, c.body, status, body, c.status, c.want)
		}
	}
}

func TestWhoMayAsk(t *testing.T) {
	w := newWorld(t)
	for _, tags := range []string{"none", "management", "policymaker", "monitoring"} {
		w.must(201, "PUT", "/api/users/"+tags, `{"password":"p","tags":"`+strings.TrimPrefix(tags, "none")+`"}`)
	}
	w.must(201, "PUT", "/api/vhosts/mine", ``)
	w.must(201, "PUT", "/api/permissions/mine/management", `{"configure":"^m","write":".*","read":""}`)
	w.must(201, "PUT", "/api/queues/%2F/q", `{}`)
	for _, c := range []struct {
		login, method, path string
		status              int
	}{
		{"guest:wrong", "GET", "/api/overview", 401},
		{"none:p", "GET", "/api/overview", 401},
		{"management:p", "GET", "/api/overview", 200},
		{"management:p", "GET", "/api/nodes", 401},
		{"monitoring:p", "GET", "/api/nodes", 200},
		{"monitoring:p", "GET", "/api/queues/%2F/q", 200},
		{"monitoring:p", "DELETE", "/api/queues/%2F/q", 401},
		{"management:p", "GET", "/api/queues/%2F", 401},
		{"management:p", "PUT", "/api/queues/mine/m1", 201},
		{"management:p", "PUT", "/api/queues/mine/other", 401},
		{"management:p", "DELETE", "/api/queues/mine/m1/contents", 401}, // may not read
		{"management:p", "GET", "/api/policies", 401},
		{"policymaker:p", "GET", "/api/policies", 200},
		{"policymaker:p", "DELETE", "/api/policies/mine/p", 401}, // not in that virtual host
		{"monitoring:p", "GET", "/api/users", 401},
		{"monitoring:p", "PUT", "/api/vhosts/new", 401},
	} {
		if status, body, _ := w.ask(c.login, c.method, c.path, `{}`); status != c.status {
			t.Errorf("%s %s as %s: %d %s, want %d", c.method, c.path, c.login, status, body, c.status)
		}
	}
	if _, body, _ := w.ask("management:p", "GET", "/api/queues?columns=name", ``); body != `[{"name":"m1"}]` {
		t.Errorf("a user sees the queues %s, want those of the virtual hosts that the user may enter", body)
	}
	if _, _, header := w.ask("guest:wrong", "GET", "/api/overview", ``); header.Get("WWW-Authenticate") != `Basic realm="RabbitMQ Management"` {
		t.Errorf("a wrong password is answered with %q", header.Get("WWW-Authenticate"))
	}
}

func TestListsAreSortedPagedAndProjected(t *testing.T) {
	w := newWorld(t)
	for _, q := range []string{"a1", "b1", "a2"} {
		w.must(201, "PUT", "/api/queues/%2F/"+q, `{"arguments":{"x-max-length":5}}`)
	}
	for path, want := range map[string]string{
		"?columns=name": `[{"name":"a1"},{"name":"a2"},{"name":"b1"}]`,
		"?columns=name&sort=name&sort_reverse=true": `[{"name":"b1"},{"name":"a2"},{"name":"a1"}]`,
		"?columns=name,messages_details.rate&page=1&page_size=1&name=B": `{"filtered_count":1,"item_count":1,"items":[{"messages_details":{"rate":0.0},"name":"b1"}],` +
			`"page":1,"page_count":1,"page_size":1,"total_count":3}`,
		"?columns=name,arguments&page=2&page_size=1&name=^a&use_regex=true": `{"filtered_count":2,"item_count":1,"items":[{"arguments":{"x-max-length":5},"name":"a2"}],` +
			`"page":2,"page_count":2,"page_size":1,"total_count":3}`,
	} {
		if got := w.must(200, "GET", "/api/queues"+path, ``); got != want {
			t.Errorf("%s:\n%s, want\n%s", path, got, want)
		}
	}
}

// TestMessageKeepsItsProperties publishes and gets by HTTP, and in between looks
// at the message by AMQP.
func TestMessageKeepsItsProperties(t *testing.T) {
	w := newWorld(t)
	w.must(201, "PUT", "/api/queues/%2F/q", `{}`)
	const properties = `{"app_id":"a","content_type":"text/plain","correlation_id":"c","delivery_mode":2,` +
		`"headers":{"flag":true,"list":[1,"x"],"long":9007199254740993,"nested":{"half":0.5}},"priority":3,"timestamp":1700000000}`
	w.must(200, "POST", "/api/exchanges/%2F/amq.default/publish",
		`{"properties":`+properties+`,"routing_key":"q","payload":"/wA=","payload_encoding":"base64"}`)
	ch := w.dial()
	d, ok, err := ch.Get("q", false)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	want := amqp.Table{"flag": true, "list": []any{int64(1), "x"}, "long": int64(9007199254740993), "nested": amqp.Table{"half": 0.5}}
	if !reflect.DeepEqual(d.Headers, want) || d.DeliveryMode != 2 || string(d.Body) != "\xff\x00" || d.Timestamp.Unix() != 1700000000 {
		t.Errorf("by AMQP the message is %+v", d)
	}
	if err := d.Nack(false, true); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the message is back", func() bool {
		return read[struct {
			Ready int `json:"messages_ready"`
		}](w, "/api/queues/%2F/q").Ready == 1
	})
	got := w.must(200, "POST", "/api/queues/%2F/q/get", `{"count":"5","ackmode":"ack_requeue_true","encoding":"auto"}`)
	if want := `[{"exchange":"","message_count":0,"payload":"/wA=","payload_bytes":2,"payload_encoding":"base64","properties":` +
		properties + `,"redelivered":true,"routing_key":"q"}]`; got != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
	w.must(200, "POST", "/api/queues/%2F/q/get", `{"count":1,"ackmode":"reject_requeue_false","encoding":"base64"}`)
	if got := w.must(200, "POST", "/api/queues/%2F/q/get", `{"count":1,"ackmode":"ack_requeue_true","encoding":"auto"}`); got != `[]` {
		t.Errorf("after it was rejected the queue has %s", got)
	}
}

func TestConnectionsChannelsAndConsumers(t *testing.T) {
	w := newWorld(t)
	ch := w.dial()
	for _, step := range []func() error{
		func() error { _, err := ch.QueueDeclare("q", true, false, false, false, nil); return err },
		func() error { return ch.Confirm(false) },
		func() error { return ch.Qos(7, 0, false) },
		func() error { _, err := ch.Consume("q", "tag", false, false, false, false, nil); return err },
		func() error {
			c, err := ch.PublishWithDeferredConfirm("", "q", false, false, amqp.Publishing{Body: []byte("x")})
			if err == nil {
				c.Wait()
			}
			return err
		},
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	type channel struct {
		Name     string
		Number   int
		Confirm  bool
		Prefetch int                                        `json:"prefetch_count"`
		Unacked  int                                        `json:"messages_unacknowledged"`
		Stats    struct{ Publish, Confirm, DeliverGet int } `json:"message_stats"`
	}
	var got channel
	eventually(t, "the channel shows what it did", func() bool {
		got = read[[]channel](w, "/api/channels")[0]
		return got.Unacked == 1 && got.Stats.Confirm == 1
	})
	if got.Number != 1 || !got.Confirm || got.Prefetch != 7 || got.Stats.Publish != 1 {
		t.Errorf("the channel is %+v", got)
	}
	conn := read[[]map[string]any](w, "/api/connections")[0]
	if conn["user"] != "guest" || conn["auth_mechanism"] != "PLAIN" || conn["channels"] != 1.0 || conn["state"] != "running" ||
		got.Name != conn["name"].(string)+" (1)" {
		t.Errorf("the connection is %v", conn)
	}
	consumer := read[[]map[string]any](w, "/api/consumers/%2F")[0]
	if consumer["consumer_tag"] != "tag" || consumer["prefetch_count"] != 7.0 || consumer["ack_required"] != true ||
		consumer["channel_details"].(map[string]any)["name"] != got.Name {
		t.Errorf("the consumer is %v", consumer)
	}
}

// TestPermissionsHoldAtOnce changes what a user may do under an open connection.
func TestPermissionsHoldAtOnce(t *testing.T) {
	w := newWorld(t)
	ch := w.dial()
	w.must(204, "PUT", "/api/permissions/%2F/guest", `{"configure":"^mine","write":".*","read":".*"}`)
	if _, err := ch.QueueDeclare("mine", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	_, err := ch.QueueDeclare("other", true, false, false, false, nil)
	if e, ok := err.(*amqp.Error); !ok || e.Code != amqp.AccessRefused {
		t.Errorf("declaring what is no longer permitted: %v, want 403", err)
	}
}

func TestMetricsInRabbitMQsNames(t *testing.T) {
	w := newWorld(t)
	w.must(201, "PUT", "/api/queues/%2F/q", `{}`)
	w.must(200, "POST", "/api/exchanges/%2F/amq.default/publish", `{"properties":{},"routing_key":"q","payload":"abc","payload_encoding":"string"}`)
	w.dial()
	for path, lines := range map[string][]string{
		"/metrics":            {"rabbitmq_queue_messages_ready 1", "rabbitmq_connections 1", "rabbitmq_channels 1", "rabbitmq_queues 1", "rabbitmq_alarms_memory_used_watermark 0"},
		"/metrics/per-object": {`rabbitmq_queue_messages_ready{queue="q",vhost="/"} 1`, `rabbitmq_queue_messages_ready_bytes{queue="q",vhost="/"} 3`},
	} {
		req, err := http.NewRequestWithContext(context.Background(), "GET", "http://"+w.api+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, body, _ := w.ask("", "GET", req.URL.Path, "")
		for _, line := range lines {
			if !strings.Contains("\n"+body+"\n", "\n"+line+"\n") {
				t.Errorf("%s lacks %s:\n%s", path, line, body)
			}
		}
	}
}

func TestOverviewCounts(t *testing.T) {
	w := newWorld(t)
	w.must(201, "PUT", "/api/queues/%2F/q", `{}`)
	var o struct {
		Totals map[string]int `json:"object_totals"`
		Queue  struct {
			Messages int
			Details  struct{ Rate json.Number } `json:"messages_details"`
		} `json:"queue_totals"`
	}
	if err := json.Unmarshal([]byte(w.must(200, "GET", "/api/overview", "")), &o); err != nil {
		t.Fatal(err)
	}
	if o.Totals["queues"] != 1 || o.Totals["connections"] != 0 || o.Totals["exchanges"] != 6 || o.Queue.Details.Rate != "0.0" {
		t.Errorf("the overview says %+v", o)
	}
}

func TestDeletingAVHostSendsItsClientsAway(t *testing.T) {
	w := newWorld(t)
	w.must(201, "PUT", "/api/vhosts/v2", ``)
	w.must(201, "PUT", "/api/queues/v2/q", `{}`)
	w.must(200, "POST", "/api/exchanges/v2/amq.default/publish", `{"properties":{"delivery_mode":2},"routing_key":"q","payload":"x","payload_encoding":"string"}`)
	conn, err := amqp.Dial("amqp://guest:guest@" + w.amqp + "/v2")
	if err != nil {
		t.Fatal(err)
	}
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	w.must(204, "DELETE", "/api/vhosts/v2", ``)
	if e := <-closed; e == nil || e.Code != amqp.ConnectionForced {
		t.Errorf("the client hears %v, want 320", e)
	}
	if conn, err := amqp.Dial("amqp://guest:guest@" + w.amqp + "/v2"); err == nil {
		_ = conn.Close()
		t.Error("a virtual host that was deleted can be entered")
	}
	w.must(201, "PUT", "/api/vhosts/v2", ``)
	if got := w.must(200, "GET", "/api/queues/v2", ``); got != `[]` {
		t.Errorf("a new virtual host of the name has %s", got)
	}
}

func TestPortInUse(t *testing.T) {
	w := newWorld(t)
	_, err := management.New(management.Config{Address: w.api}, management.Deps{Logger: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), w.api+" is in use by another program") || !strings.Contains(err.Error(), "--management") {
		t.Errorf("a port in use: %v", err)
	}
}
