package vhost

import (
	"fmt"
	"slices"
	"testing"

	"thump/broker/amqp"
)

func encoded(t testing.TB, headers amqp.Table) []byte {
	t.Helper()
	b, err := amqp.Properties{Headers: headers}.Append(nil)
	must(t, err)
	return b
}

// reached returns the names of the queues that a message goes to.
func reached(t testing.TB, v *VHost, exchange, key string, headers amqp.Table) []string {
	t.Helper()
	x, err := v.exchange(exchange)
	must(t, err)
	var names []string
	for _, q := range v.route(x, &Message{Exchange: exchange, Key: key, Header: encoded(t, headers)}) {
		names = append(names, q.Name())
	}
	slices.Sort(names)
	return names
}

func TestKeyedExchanges(t *testing.T) {
	type bind struct{ queue, key string }
	cases := []struct {
		kind  string
		binds []bind
		key   string
		want  []string
	}{
		{"direct", []bind{{"a", "k"}, {"b", "k"}, {"c", "other"}}, "k", []string{"a", "b"}},
		{"direct", []bind{{"a", "k"}}, "", nil},
		{"direct", []bind{{"a", ""}}, "", []string{"a"}},
		{"direct", []bind{{"a", "*"}}, "k", nil},
		{"fanout", []bind{{"a", "x"}, {"a", "y"}, {"b", ""}}, "whatever", []string{"a", "b"}},
		{"fanout", nil, "k", nil},
		{"topic", []bind{{"a", "#"}, {"b", "*"}, {"c", ""}}, "", []string{"a", "c"}},
		{"topic", []bind{{"a", "#"}, {"b", "*"}, {"c", "x"}, {"d", "y"}}, "x", []string{"a", "b", "c"}},
		{"topic", []bind{{"a", "*.#"}, {"b", "#.*"}, {"c", "#.#"}}, "", []string{"c"}},
		{"topic", []bind{{"a", "*.#"}, {"b", "#.*"}, {"c", "#.#"}, {"d", "*.*"}}, "x", []string{"a", "b", "c"}},
		{"topic", []bind{{"a", "*.web01.#"}, {"b", "*.*.disk"}, {"c", "#.disk"}, {"d", "*.disk"}}, "g.web01.disk", []string{"a", "b", "c"}},
		{"topic", []bind{{"a", "x.#.z"}, {"b", "x.*.z"}, {"c", "x.z"}}, "x.z", []string{"a", "c"}},
		{"topic", []bind{{"a", "x.#.z"}, {"b", "x.*.z"}}, "x.y.y.z", []string{"a"}},
		{"topic", []bind{{"a", "#.y.#"}}, "x.y", []string{"a"}},
		{"topic", []bind{{"a", "#.y.#"}}, "x.yy", nil},
		{"topic", []bind{{"a", "*.*"}, {"b", "."}, {"c", "#"}}, ".", []string{"a", "b", "c"}},
		{"topic", []bind{{"a", "x.*"}}, "x.", []string{"a"}},
		{"topic", []bind{{"a", "x"}, {"b", "x.#"}}, "x.", []string{"b"}},
		{"topic", []bind{{"a", "k"}, {"a", "*"}, {"a", "#"}}, "k", []string{"a"}},
		{"topic", []bind{{"a", "#.#.#"}, {"b", "#.x.#.x.#"}}, "x.x", []string{"a", "b"}},
	}
	for _, c := range cases {
		t.Run(fmt.Sprintf("%s %v %q", c.kind, c.binds, c.key), func(t *testing.T) {
			v := newTestVHost(t)
			declareExchange(t, v, "x", c.kind)
			for _, b := range c.binds {
				declareQueue(t, v, b.queue, nil)
				must(t, v.BindQueue(b.queue, "x", b.key, nil, nil))
			}
			for _, round := range []string{"first", "cached"} {
				if got := reached(t, v, "x", c.key, nil); !slices.Equal(got, c.want) {
					t.Errorf("%s: got %q, want %q", round, got, c.want)
				}
			}
			for _, b := range c.binds {
				must(t, v.UnbindQueue(b.queue, "x", b.key, nil, nil))
			}
			if got := reached(t, v, "x", c.key, nil); len(got) > 0 {
				t.Errorf("after unbind: got %q", got)
			}
		})
	}
}

func TestHeadersExchange(t *testing.T) {
	cases := []struct {
		name          string
		args, headers amqp.Table
		want          bool
	}{
		{"no pattern matches all", nil, amqp.Table{"a": "1"}, true},
		{"all is the default", amqp.Table{"a": "1", "b": "2"}, amqp.Table{"a": "1", "b": "2", "c": "3"}, true},
		{"all, one missing", amqp.Table{"a": "1", "b": "2"}, amqp.Table{"a": "1"}, false},
		{"any", amqp.Table{"x-match": "any", "a": "1", "b": "2"}, amqp.Table{"b": "2"}, true},
		{"any, none", amqp.Table{"x-match": "any", "a": "1"}, amqp.Table{"a": "2"}, false},
		{"any, empty pattern", amqp.Table{"x-match": "any"}, amqp.Table{"a": "2"}, false},
		{"void wants presence", amqp.Table{"a": nil}, amqp.Table{"a": int64(7)}, true},
		{"void, absent", amqp.Table{"a": nil}, nil, false},
		{"integers of any width", amqp.Table{"a": int32(5)}, amqp.Table{"a": int64(5)}, true},
		{"integer is not float", amqp.Table{"a": int32(5)}, amqp.Table{"a": float64(5)}, false},
		{"integer is not text", amqp.Table{"a": int32(5)}, amqp.Table{"a": "5"}, false},
		{"x- keys do not count", amqp.Table{"x-a": "1"}, nil, true},
		{"x- keys count", amqp.Table{"x-match": "all-with-x", "x-a": "1"}, nil, false},
		{"any x- key counts", amqp.Table{"x-match": "any-with-x", "x-a": "1", "b": "2"}, amqp.Table{"x-a": "1"}, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			v := newTestVHost(t)
			declareQueue(t, v, "q", nil)
			must(t, v.BindQueue("q", "amq.headers", "ignored", c.args, nil))
			if got := len(reached(t, v, "amq.headers", "k", c.headers)) == 1; got != c.want {
				t.Errorf("matches: got %t, want %t", got, c.want)
			}
		})
	}
	v := newTestVHost(t)
	declareQueue(t, v, "q", nil)
	wantError(t, v.BindQueue("q", "amq.match", "", amqp.Table{"x-match": "some"}, nil), amqp.PreconditionFailed,
		"PRECONDITION_FAILED - Invalid x-match field value <<\"some\">>; expected all, any, all-with-x, or any-with-x")
}

func TestDefaultExchange(t *testing.T) {
	v := newTestVHost(t)
	declareQueue(t, v, "q", nil)
	if n := send(t, v, "", "q", "hello"); n != 1 {
		t.Errorf("routed to %d queues, want 1", n)
	}
	if n := send(t, v, "", "other", "hello"); n != 0 {
		t.Errorf("routed to %d queues, want 0", n)
	}
	wantBodies(t, "q", pull(t, v, "q"), "hello")
	const refused = "ACCESS_REFUSED - operation not permitted on the default exchange"
	wantError(t, v.BindQueue("q", "", "k", nil, nil), amqp.AccessRefused, refused)
	wantError(t, v.DeleteExchange("", false), amqp.AccessRefused, refused)
	wantError(t, v.DeclareExchange(ExchangeSpec{Type: "direct"}), amqp.AccessRefused, refused)
}

func TestExchangeToExchange(t *testing.T) {
	v := newTestVHost(t)
	for _, x := range []string{"in", "left", "right"} {
		declareExchange(t, v, x, "fanout")
	}
	declareExchange(t, v, "words", "topic")
	for _, q := range []string{"both", "left", "words"} {
		declareQueue(t, v, q, nil)
	}
	for _, b := range [][2]string{{"left", "in"}, {"right", "in"}, {"in", "left"}, {"in", "in"}, {"words", "right"}} {
		must(t, v.BindExchange(b[0], b[1], "", nil))
	}
	must(t, v.BindQueue("both", "left", "", nil, nil))
	must(t, v.BindQueue("both", "right", "", nil, nil))
	must(t, v.BindQueue("left", "left", "", nil, nil))
	must(t, v.BindQueue("words", "words", "*.disk", nil, nil))
	if got := reached(t, v, "in", "web01.disk", nil); !slices.Equal(got, []string{"both", "left", "words"}) {
		t.Errorf("in: got %q", got)
	}
	if got := reached(t, v, "right", "web01.cpu", nil); !slices.Equal(got, []string{"both"}) {
		t.Errorf("right: got %q", got)
	}
	must(t, v.DeleteExchange("left", false))
	if got := reached(t, v, "in", "x", nil); !slices.Equal(got, []string{"both"}) {
		t.Errorf("without left: got %q", got)
	}
}

func TestAlternateExchange(t *testing.T) {
	v := newTestVHost(t)
	must(t, v.DeclareExchange(ExchangeSpec{Name: "x", Type: "direct", Args: amqp.Table{"alternate-exchange": "rest"}}))
	declareQueue(t, v, "q", nil)
	declareQueue(t, v, "lost", nil)
	must(t, v.BindQueue("q", "x", "k", nil, nil))
	if got := reached(t, v, "x", "unknown", nil); got != nil {
		t.Errorf("alternate does not exist yet: got %q", got)
	}
	must(t, v.DeclareExchange(ExchangeSpec{Name: "rest", Type: "direct", Args: amqp.Table{"alternate-exchange": "x"}}))
	if got := reached(t, v, "x", "unknown", nil); got != nil {
		t.Errorf("alternates in a circle: got %q", got)
	}
	must(t, v.BindQueue("lost", "rest", "unknown", nil, nil))
	if got := reached(t, v, "x", "unknown", nil); !slices.Equal(got, []string{"lost"}) {
		t.Errorf("unmatched: got %q", got)
	}
	if got := reached(t, v, "x", "k", nil); !slices.Equal(got, []string{"q"}) {
		t.Errorf("matched: got %q", got)
	}
}

func TestManyDestinationsOnce(t *testing.T) {
	v := newTestVHost(t)
	declareExchange(t, v, "a", "fanout")
	declareExchange(t, v, "b", "topic")
	must(t, v.BindExchange("b", "a", "", nil))
	for i := range 100 {
		q := fmt.Sprint("q", i)
		declareQueue(t, v, q, nil)
		for _, key := range []string{"#", "x.*", "x.y"} {
			must(t, v.BindQueue(q, "b", key, nil, nil))
		}
		if i%2 == 0 {
			must(t, v.BindQueue(q, "a", "", nil, nil))
		}
	}
	got := reached(t, v, "a", "x.y", nil)
	if len(got) != 100 || len(slices.Compact(got)) != 100 {
		t.Errorf("got %d queues, %d distinct, want 100", len(got), len(slices.Compact(got)))
	}
}

func TestExchangeErrors(t *testing.T) {
	v := newTestVHost(t)
	must(t, v.DeclareExchange(ExchangeSpec{Name: "x", Type: "direct"}))
	must(t, v.DeclareExchange(ExchangeSpec{Name: "x\r\n", Type: "direct"}))
	must(t, v.DeclareExchange(ExchangeSpec{Name: "x", Passive: true}))
	must(t, v.DeclareExchange(ExchangeSpec{Name: "amq.topic", Type: "topic", Durable: true}))
	must(t, v.DeclareExchange(ExchangeSpec{Name: "inside", Type: "fanout", Internal: true}))
	declareQueue(t, v, "q", nil)
	must(t, v.BindQueue("q", "x", "k", nil, nil))
	publish := func(exchange string) error {
		_, _, err := v.Publish(&Message{Exchange: exchange})
		return err
	}
	for _, c := range []struct {
		err  error
		code uint16
		text string
	}{
		{v.DeclareExchange(ExchangeSpec{Name: "x", Type: "fanout"}), 406, "PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'x' in vhost '/': received 'fanout' but current is 'direct'"},
		{v.DeclareExchange(ExchangeSpec{Name: "x", Type: "direct", Durable: true}), 406, "PRECONDITION_FAILED - inequivalent arg 'durable' for exchange 'x' in vhost '/': received 'true' but current is 'false'"},
		{v.DeclareExchange(ExchangeSpec{Name: "x", Type: "direct", AutoDelete: true}), 406, "PRECONDITION_FAILED - inequivalent arg 'auto_delete' for exchange 'x' in vhost '/': received 'true' but current is 'false'"},
		{v.DeclareExchange(ExchangeSpec{Name: "x", Type: "direct", Args: amqp.Table{"alternate-exchange": "y"}}), 406, "PRECONDITION_FAILED - inequivalent arg 'alternate-exchange' for exchange 'x' in vhost '/': received the value 'y' of type 'longstr' but current is none"},
		{v.DeclareExchange(ExchangeSpec{Name: "y", Type: "quantum"}), 406, "PRECONDITION_FAILED - unknown exchange type 'quantum'"},
		{v.DeclareExchange(ExchangeSpec{Name: "y", Passive: true}), 404, "NOT_FOUND - no exchange 'y' in vhost '/'"},
		{v.DeclareExchange(ExchangeSpec{Name: "amq.mine", Type: "direct"}), 403, "ACCESS_REFUSED - exchange name 'amq.mine' contains reserved prefix 'amq.*'"},
		{v.DeleteExchange("amq.topic", false), 403, "ACCESS_REFUSED - deletion of system exchange 'amq.topic' in vhost '/' not allowed"},
		{v.DeleteExchange("x", true), 406, "PRECONDITION_FAILED - exchange 'x' in vhost '/' in use"},
		{v.DeleteExchange("missing", false), 0, ""},
		{v.BindQueue("q", "missing", "", nil, nil), 404, "NOT_FOUND - no exchange 'missing' in vhost '/'"},
		{v.BindQueue("missing", "x", "", nil, nil), 404, "NOT_FOUND - no queue 'missing' in vhost '/'"},
		{v.UnbindQueue("missing", "x", "", nil, nil), 0, ""},
		{publish("missing"), 404, "NOT_FOUND - no exchange 'missing' in vhost '/'"},
		{publish("inside"), 403, "ACCESS_REFUSED - cannot publish to internal exchange 'inside' in vhost '/'"},
	} {
		if c.code == 0 {
			must(t, c.err)
			continue
		}
		wantError(t, c.err, c.code, c.text)
	}
}

func TestAutoDeleteExchange(t *testing.T) {
	v := newTestVHost(t)
	for _, x := range []string{"a", "b"} {
		must(t, v.DeclareExchange(ExchangeSpec{Name: x, Type: "fanout", AutoDelete: true}))
	}
	declareQueue(t, v, "q", nil)
	must(t, v.BindExchange("b", "a", "", nil))
	must(t, v.BindExchange("a", "b", "", nil)) // a circle
	must(t, v.BindQueue("q", "b", "", nil, nil))
	must(t, v.UnbindExchange("a", "b", "", nil))
	must(t, v.DeclareExchange(ExchangeSpec{Name: "b", Passive: true}))
	_, err := v.DeleteQueue("q", false, false, nil)
	must(t, err)
	for _, x := range []string{"a", "b"} {
		wantError(t, v.DeclareExchange(ExchangeSpec{Name: x, Passive: true}), amqp.NotFound,
			"NOT_FOUND - no exchange '"+x+"' in vhost '/'")
	}
}

func TestUnbindOneOfTwo(t *testing.T) {
	for _, kind := range []string{"direct", "fanout", "topic", "headers"} {
		v := newTestVHost(t)
		declareExchange(t, v, "x", kind)
		declareExchange(t, v, "y", "fanout")
		declareQueue(t, v, "q", nil)
		declareQueue(t, v, "r", nil)
		must(t, v.BindQueue("r", "y", "", nil, nil))
		for _, args := range []amqp.Table{nil, {"a": nil, "x-match": "any"}} {
			must(t, v.BindQueue("q", "x", "k", args, nil))
			must(t, v.BindExchange("y", "x", "k", args))
		}
		must(t, v.UnbindQueue("q", "x", "k", nil, nil))
		must(t, v.UnbindExchange("y", "x", "k", nil))
		if got := reached(t, v, "x", "k", amqp.Table{"a": "1"}); !slices.Equal(got, []string{"q", "r"}) {
			t.Errorf("%s: one binding left, got %q", kind, got)
		}
		must(t, v.UnbindQueue("q", "x", "k", amqp.Table{"x-match": "any", "a": nil}, nil))
		if got := reached(t, v, "x", "k", amqp.Table{"a": "1"}); !slices.Equal(got, []string{"r"}) {
			t.Errorf("%s: only the exchange is left, got %q", kind, got)
		}
	}
}
