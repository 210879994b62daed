package vhost

import (
	"slices"

	"thump/broker/amqp"
)

// Sender-selected distribution, a RabbitMQ extension: the headers CC and BCC hold
// further routing keys, and no consumer sees BCC.

// readCopies notes the further routing keys of a message and takes BCC out.
func (m *Message) readCopies() error {
	if amqp.Flags(m.Header)&amqp.FlagHeaders == 0 { // no need to look twice
		return nil
	}
	blind := amqp.MayHaveHeader(m.Header, "BCC")
	if !blind && !amqp.MayHaveHeader(m.Header, "CC") {
		return nil
	}
	p, err := amqp.ParseProperties(m.Header)
	if err != nil {
		return amqp.ConnectionError(amqp.SyntaxError, "cannot decode properties: %s", err)
	}
	for _, name := range []string{"CC", "BCC"} {
		keys, err := copies(p.Headers, name)
		if err != nil {
			return err
		}
		m.also = append(m.also, keys...)
	}
	if _, given := p.Headers["BCC"]; !given {
		return nil
	}
	delete(p.Headers, "BCC")
	if m.Header, err = p.Append(nil); err != nil {
		return amqp.ConnectionError(amqp.SyntaxError, "cannot encode properties: %s", err)
	}
	return nil
}

// copies returns the routing keys of one of the headers.
func copies(headers amqp.Table, name string) (keys []string, err error) {
	value, given := headers[name]
	list, ok := value.([]any)
	if given && !ok {
		return nil, amqp.ChannelError(amqp.PreconditionFailed,
			"invalid message: {unacceptable_type_in_header,%q,%s}", name, fieldType(value))
	}
	for _, v := range list {
		if key, ok := v.(string); ok { // RabbitMQ ignores the others
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// routeAll returns the queues that a message published to x reaches by any of its
// keys, each once.
func (v *VHost) routeAll(x *exchange, m *Message) []*Queue {
	if len(m.also) == 0 {
		return v.route(x, m)
	}
	queues := distinct[*Queue]{list: slices.Clone(v.route(x, m))}
	copied := *m
	for _, key := range m.also {
		copied.Key = key
		queues.add(v.route(x, &copied))
	}
	return queues.list
}
