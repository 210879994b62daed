package definitions

import (
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"thump/broker/amqp"
	"thump/broker/vhost"
)

func TestTopologyRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "definitions.db")
	s, err := Open(path)
	must(t, err)
	v := s.VHost("/")
	args := amqp.Table{
		"int": int32(7), "long": int64(7), "text": "x", "bytes": []byte{1}, "void": nil, "yes": true, "half": 0.5,
		"time": time.Unix(1e9, 0).UTC(), "list": []any{"a", int8(1)}, "table": amqp.Table{"in": uint8(2)},
	}
	x := vhost.ExchangeSpec{Name: "x", Type: "topic", Durable: true, AutoDelete: true, Internal: true, Args: args}
	plain := vhost.ExchangeSpec{Name: "plain", Type: "fanout", Durable: true, Args: amqp.Table{}}
	q := vhost.QueueSpec{Name: "q", Durable: true, AutoDelete: true, Args: args}
	bindings := []vhost.BindingSpec{
		{Source: "x", Destination: "q", Key: "a.#", Args: amqp.Table{}},
		{Source: "x", Destination: "q", Key: "a.#", Args: args},
		{Source: "x", Destination: "plain", ToExchange: true, Args: amqp.Table{}},
		{Source: "plain", Destination: "q", Args: amqp.Table{}},
	}
	must(t, v.PutExchange(x))
	must(t, v.PutExchange(plain))
	id, err := v.CreateQueue(q)
	must(t, err)
	for _, b := range bindings {
		must(t, v.PutBinding(b))
	}
	must(t, v.PutBinding(bindings[0])) // again: the same
	must(t, s.Close())

	s = open(t, path)
	v = s.VHost("/")
	got, err := v.Topology()
	must(t, err)
	if want := []vhost.ExchangeSpec{plain, x}; !reflect.DeepEqual(got.Exchanges, want) {
		t.Errorf("exchanges:\n got %+v\nwant %+v", got.Exchanges, want)
	}
	if want := []vhost.DurableQueue{{ID: id, QueueSpec: q}}; !reflect.DeepEqual(got.Queues, want) {
		t.Errorf("queues:\n got %+v\nwant %+v", got.Queues, want)
	}
	if len(got.Bindings) != len(bindings) {
		t.Errorf("bindings: %+v", got.Bindings)
	}
	for _, want := range bindings {
		found := 0
		for _, b := range got.Bindings {
			if reflect.DeepEqual(b, want) {
				found++
			}
		}
		if found != 1 {
			t.Errorf("binding %+v found %d times", want, found)
		}
	}

	must(t, v.DeleteBinding(bindings[0]))
	must(t, v.DeleteExchange("plain"))
	if got, err = v.Topology(); err != nil || len(got.Bindings) != 1 || !reflect.DeepEqual(got.Bindings[0], bindings[1]) {
		t.Errorf("after deleting an exchange: %+v, %v", got.Bindings, err)
	}
	must(t, v.DeleteQueue("q"))
	must(t, v.DeleteQueue("q"))
	if got, err = v.Topology(); err != nil || len(got.Bindings) != 0 || len(got.Queues) != 0 || len(got.Exchanges) != 1 {
		t.Errorf("after deleting the queue: %+v, %v", got, err)
	}
}

func TestQueueIDsAreNeverUsedAgain(t *testing.T) {
	s := newStore(t)
	must(t, s.CreateVHost("two"))
	seen := make(map[uint64]bool)
	for i := range 6 {
		v := s.VHost([]string{"/", "two"}[i%2])
		id, err := v.CreateQueue(vhost.QueueSpec{Name: "q"})
		must(t, err)
		if id == 0 || seen[id] {
			t.Errorf("id %d was given before", id)
		}
		seen[id] = true
		known, err := v.Known()
		must(t, err)
		if !known(id) || known(id-1) || known(id+1) {
			t.Errorf("known ids do not match %d", id)
		}
		must(t, v.DeleteQueue("q"))
		if i == 3 {
			must(t, s.DeleteVHost("two"))
			must(t, s.CreateVHost("two"))
		}
	}
}

func TestUnknownVHost(t *testing.T) {
	v := newStore(t).VHost("nowhere")
	if _, err := v.Topology(); err == nil {
		t.Error("topology of a vhost that does not exist")
	}
	if err := v.PutExchange(vhost.ExchangeSpec{Name: "x"}); err == nil {
		t.Error("exchange in a vhost that does not exist")
	}
}
