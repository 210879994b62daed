package model

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// queueCounts is what the management API says of a queue.
type queueCounts struct {
	Name      string `json:"name"`
	Durable   bool   `json:"durable"`
	Ready     int    `json:"messages_ready"`
	Unacked   int    `json:"messages_unacknowledged"`
	Messages  int    `json:"messages"`
	Consumers int    `json:"consumers"`
}

func (n *node) get(path string, v any) error {
	req, err := http.NewRequestWithContext(n.t.Context(), http.MethodGet, "http://"+n.management+path, nil)
	if err != nil {
		return err
	}
	req.SetBasicAuth("guest", "guest")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", path, res.Status)
	}
	return json.NewDecoder(res.Body).Decode(v)
}

// agree checks that the management API tells what the model knows. It waits only
// for a connection that ends: all else was answered after it was done.
func (r *run) agree() {
	r.t.Helper()
	if r.ending {
		eventually(r.t, "the management API to agree after "+r.trail(), r.agreeOnce)
		r.ending = false
		return
	}
	r.check(r.agreeOnce())
}

func (r *run) agreeOnce() error {
	if err := r.agreeQueues(); err != nil {
		return err
	}
	return r.agreeTopology()
}

func (r *run) agreeQueues() error {
	var got []queueCounts
	if err := r.node.get("/api/queues", &got); err != nil {
		return err
	}
	got = slices.DeleteFunc(got, func(q queueCounts) bool { return q.Name == barrierQueue })
	var want []queueCounts
	for _, name := range slices.Sorted(maps.Keys(r.queues)) {
		q := r.queues[name]
		want = append(want, queueCounts{
			Name: name, Durable: q.durable, Ready: len(q.ready), Unacked: len(q.held),
			Messages: len(q.ready) + len(q.held), Consumers: len(q.consumers),
		})
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("queues are\n%+v, want\n%+v", got, want)
	}
	return nil
}

// agreeTopology compares exchanges and bindings.
func (r *run) agreeTopology() error {
	var exchanges []struct{ Name, Type string }
	if err := r.node.get("/api/exchanges", &exchanges); err != nil {
		return err
	}
	var bindings []struct {
		Source, Destination string
		Key                 string `json:"routing_key"`
	}
	if err := r.node.get("/api/bindings", &bindings); err != nil {
		return err
	}
	gotX, gotB := map[string]string{}, map[binding]bool{}
	for _, x := range exchanges {
		if !strings.HasPrefix(x.Name, "amq.") && x.Name != "" {
			gotX[x.Name] = x.Type
		}
	}
	for _, b := range bindings {
		if b.Source != "" {
			gotB[binding{b.Source, b.Destination, b.Key}] = true
		}
	}
	wantX := map[string]string{}
	for name, x := range r.exchanges {
		if !strings.HasPrefix(name, "amq.") {
			wantX[name] = x.kind
		}
	}
	if !maps.Equal(gotX, wantX) || !maps.Equal(gotB, r.bindings) {
		return fmt.Errorf("topology is %v %v, want %v %v", gotX, gotB, wantX, r.bindings)
	}
	return nil
}
