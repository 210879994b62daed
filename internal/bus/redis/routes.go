package redis

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"thump/internal/bus"
	"thump/internal/bus/redis/streams"
)

// Exchanges are a table in Redis that all who are connected share; how it is
// kept there:
//
//	exchange NAME   its kind
//	queue NAME      its arguments as JSON
//	bind JSON       "" (the name is the binding)
//
// A queue is a consumer group. The queues of a fanout exchange are groups of one
// stream, so that a message that all of them get is kept once; what reaches a
// queue in another way is in a stream of its own. Its consumer reads them all.

// routes is what a version of the table says.
type routes struct {
	version  string
	kinds    map[string]string // of exchanges
	queues   map[string]bus.Args
	bindings map[string][]bus.Binding // by source
	bounds   map[string]int           // by stream
}

// arguments that a queue in Redis keeps to. Others are passed over.
var honoured = []string{"x-max-length", "x-overflow", "x-dead-letter-exchange", "x-dead-letter-routing-key"}

// pairs are the entries of the table that a topology makes.
func pairs(t *bus.Topology) ([]streams.Pair, error) {
	var out []streams.Pair
	for _, e := range t.Exchanges {
		out = append(out, streams.Pair{Name: "exchange " + e.Name, Value: e.Kind})
	}
	for _, q := range t.Queues {
		args := maps.Clone(q.Args)
		maps.DeleteFunc(args, func(k string, _ any) bool { return !slices.Contains(honoured, k) })
		b, err := json.Marshal(args)
		if err != nil {
			return nil, fmt.Errorf("arguments of queue %s: %w", q.Name, err)
		}
		out = append(out, streams.Pair{Name: "queue " + q.Name, Value: string(b)})
	}
	for _, b := range t.Bindings {
		text, err := json.Marshal(b)
		if err != nil {
			return nil, fmt.Errorf("binding of %s: %w", b.Source, err)
		}
		out = append(out, streams.Pair{Name: "bind " + string(text)})
	}
	return out, nil
}

// unheeded are the arguments of queues that are passed over.
func unheeded(t *bus.Topology) []string {
	var out []string
	for _, q := range t.Queues {
		for k := range q.Args {
			if !slices.Contains(honoured, k) {
				out = append(out, q.Name+" "+k)
			}
		}
	}
	slices.Sort(out)
	return out
}

// readRoutes reads a table; limit bounds streams that have no bound of their own.
func readRoutes(t *streams.Table, limit int) (*routes, error) {
	r := &routes{
		version: t.Version, kinds: map[string]string{}, queues: map[string]bus.Args{}, bindings: map[string][]bus.Binding{},
		bounds: map[string]int{},
	}
	for _, name := range slices.Sorted(maps.Keys(t.Entries)) {
		if err := r.read(name, t.Entries[name]); err != nil {
			return nil, fmt.Errorf("topology in Redis, %q: %w", name, err)
		}
	}
	for q := range r.queues {
		for _, s := range r.streamsOf(q) {
			r.bounds[s] = max(r.bounds[s], bound(r.queues[q], limit)) // queues that share a stream: the widest
		}
	}
	return r, nil
}

// read takes one entry of the table.
func (r *routes) read(name, value string) error {
	what, rest, _ := strings.Cut(name, " ")
	switch what {
	case "exchange":
		r.kinds[rest] = value
	case "queue":
		var args bus.Args
		if err := json.Unmarshal([]byte(value), &args); err != nil {
			return err
		}
		r.queues[rest] = args
	case "bind":
		var b bus.Binding
		if err := json.Unmarshal([]byte(rest), &b); err != nil {
			return err
		}
		r.bindings[b.Source] = append(r.bindings[b.Source], b)
	}
	return nil
}

// streamsOf a queue: its own, and those of the fanout exchanges that it is bound to.
func (r *routes) streamsOf(queue string) []string {
	out := []string{ownStream(queue)}
	for _, source := range slices.Sorted(maps.Keys(r.bindings)) {
		bound := slices.ContainsFunc(r.bindings[source], func(b bus.Binding) bool { return !b.ToExchange && b.Destination == queue })
		if bound && r.kinds[source] == "fanout" {
			out = append(out, sharedStream(source))
		}
	}
	return out
}

// ownStream holds what is meant for one queue, sharedStream what all queues of a
// fanout exchange get.
func ownStream(queue string) string { return streams.Prefix + "queue:" + queue }

func sharedStream(fanout string) string { return streams.Prefix + "exchange:" + fanout }

// bound is how long a queue may grow.
func bound(args bus.Args, limit int) int {
	if n, ok := args["x-max-length"].(float64); ok && n > 0 {
		return min(int(n), limit)
	}
	return limit
}

// route finds where a message goes: streams, and the channels of those who
// listen live.
func (r *routes) route(exchange, key string) (to []streams.Target, channels []string) {
	if exchange == "" { // AMQP 0-9-1 §3.1.3.1: the default exchange
		return r.target(nil, ownStream(key)), nil
	}
	visited := map[string]bool{}
	var visit func(string)
	visit = func(name string) {
		if visited[name] {
			return
		}
		visited[name] = true
		channels = append(channels, channel(r.kinds[name], name, key))
		for _, b := range r.bindings[name] {
			switch {
			case !matches(r.kinds[name], b.Key, key):
			case b.ToExchange:
				visit(b.Destination)
			case r.kinds[name] == "fanout":
				to = r.target(to, sharedStream(name))
			default:
				to = r.target(to, ownStream(b.Destination))
			}
		}
	}
	visit(exchange)
	return to, channels
}

// target adds a stream, if there is one, once.
func (r *routes) target(to []streams.Target, stream string) []streams.Target {
	limit, ok := r.bounds[stream]
	if !ok || slices.ContainsFunc(to, func(t streams.Target) bool { return t.Stream == stream }) {
		return to
	}
	return append(to, streams.Target{Stream: stream, Max: limit})
}

// grave is where what a queue rejects goes.
func (r *routes) grave(queue, key string) []streams.Target {
	args := r.queues[queue]
	exchange, ok := args["x-dead-letter-exchange"].(string)
	if !ok {
		return nil
	}
	if k, ok := args["x-dead-letter-routing-key"].(string); ok {
		key = k
	}
	to, _ := r.route(exchange, key)
	return to
}

// channel carries what an exchange gets: all of it if it is a fanout, else by key.
func channel(kind, exchange, key string) string {
	name := streams.Prefix + "live:" + exchange
	if kind == "fanout" {
		return name
	}
	return name + ":" + key
}

// matches tells whether a binding's key takes a routing key.
func matches(kind, binding, key string) bool {
	switch kind {
	case "fanout":
		return true
	case "topic":
		return matchTopic(strings.Split(binding, "."), strings.Split(key, "."))
	}
	return binding == key
}

// matchTopic: * is one word, # any number of them.
func matchTopic(pattern, words []string) bool {
	for i, p := range pattern {
		switch {
		case p == "#":
			return slices.ContainsFunc(ends(words), func(rest []string) bool { return matchTopic(pattern[i+1:], rest) })
		case len(words) == 0 || p != "*" && p != words[0]:
			return false
		}
		words = words[1:]
	}
	return len(words) == 0
}

// ends of words, the longest first, down to none.
func ends(words []string) [][]string {
	out := make([][]string, 0, len(words)+1)
	for i := range len(words) + 1 {
		out = append(out, words[i:])
	}
	return out
}
