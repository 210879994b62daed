package vhost

import (
	"slices"
	"strings"

	"thump/broker/amqp"
)

// headersMatcher compares the headers of a message with the arguments of each
// binding.
type headersMatcher struct{ bindings []*binding }

func (h headersMatcher) match(_ string, header []byte) *destinations {
	if len(h.bindings) == 0 {
		return nowhere
	}
	var headers amqp.Table
	if p, err := amqp.ParseProperties(header); err == nil { // malformed ones match as if there were none
		headers = p.Headers
	}
	var queues distinct[*Queue]
	var exchanges distinct[*exchange]
	for _, b := range h.bindings {
		switch {
		case !b.headers.matches(headers):
		case b.queue != nil:
			queues.add([]*Queue{b.queue})
		default:
			exchanges.add([]*exchange{b.exchange})
		}
	}
	return &destinations{queues: queues.list, exchanges: exchanges.list}
}

func (h headersMatcher) with(b *binding) matcher {
	return headersMatcher{append(slices.Clip(h.bindings), b)}
}

func (h headersMatcher) without(b *binding) matcher {
	return headersMatcher{remove(h.bindings, b)}
}

// headerPattern is what the arguments of a binding ask of a message's headers.
type headerPattern struct {
	any  bool // one match is enough
	want amqp.Table
}

// parseHeaderPattern reads the arguments of a binding to a headers exchange.
// RabbitMQ extension: all-with-x and any-with-x also look at keys that start
// with "x-".
func parseHeaderPattern(args amqp.Table) (headerPattern, error) {
	match, ok := args["x-match"]
	if !ok {
		match = "all"
	}
	kind, ok := match.(string)
	if !ok {
		return headerPattern{}, amqp.ChannelError(amqp.PreconditionFailed,
			"Invalid x-match field type %s (value %v); expected longstr", fieldType(match), match)
	}
	if !slices.Contains([]string{"all", "any", "all-with-x", "any-with-x"}, kind) {
		return headerPattern{}, amqp.ChannelError(amqp.PreconditionFailed,
			"Invalid x-match field value <<\"%s\">>; expected all, any, all-with-x, or any-with-x", kind)
	}
	p := headerPattern{any: strings.HasPrefix(kind, "any"), want: amqp.Table{}}
	for key, value := range args {
		if key != "x-match" && (strings.HasSuffix(kind, "-with-x") || !strings.HasPrefix(key, "x-")) {
			p.want[key] = value
		}
	}
	return p, nil
}

func (p headerPattern) matches(headers amqp.Table) bool {
	for key, want := range p.want {
		got, present := headers[key]
		match := present && (want == nil || sameValue(want, got)) // no value: presence is enough
		if match == p.any {
			return match
		}
	}
	return !p.any
}
