package management

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"thump/broker/amqp"
	"thump/broker/definitions"
	"thump/broker/vhost"
)

// publish puts one message into an exchange. The answer goes out once the message
// is as safe as a confirm would say.
func (s *Server) publish(c *call) (any, error) {
	body, err := c.require("properties", "routing_key", "payload", "payload_encoding")
	if err != nil {
		return nil, err
	}
	m, err := messageOf(exchangeName(c.part("exchange")), body)
	if err != nil {
		return nil, err
	}
	if err := s.allow(c, definitions.Access.MayWrite, m.Exchange); err != nil {
		return nil, err
	}
	routed, ticket, err := c.vhost.Publish(m)
	switch e := new(amqp.Error); {
	case errors.As(err, &e):
		return nil, badRequest(fmt.Sprintf("%d %s", e.Code, e.Text))
	case errors.Is(err, vhost.ErrRejected):
		return nil, badRequest("rejected: a queue is full")
	case err != nil:
		return nil, err
	}
	if ticket != 0 {
		if err := durable(c, ticket); err != nil {
			return nil, err
		}
	}
	return object{"routed": routed > 0}, nil
}

// durable waits until the journal is on disk up to the ticket.
func durable(c *call, ticket uint64) error {
	done := make(waiter, 1)
	c.vhost.Journal().Watch(ticket, done)
	select {
	case err := <-done:
		return err
	case <-c.Context().Done():
		return c.Context().Err()
	}
}

// waiter takes the journal's one answer.
type waiter chan error

func (w waiter) Durable(_ uint64, err error) { w <- err }

func messageOf(exchange string, o object) (*vhost.Message, error) {
	m := &vhost.Message{Exchange: exchange}
	var err error
	if m.Key, err = str(o, "routing_key"); err != nil {
		return nil, err
	}
	payload, err := str(o, "payload")
	if err != nil {
		return nil, err
	}
	switch e := o["payload_encoding"]; e {
	case "string":
		m.Body = []byte(payload)
	case "base64":
		if m.Body, err = base64.StdEncoding.DecodeString(payload); err != nil {
			return nil, badRequest([]any{"not_base64", payload})
		}
	default:
		return nil, badRequest([]any{"unsupported_encoding", e})
	}
	p, err := propertiesOf(o["properties"])
	if err != nil {
		return nil, err
	}
	m.Persistent = p.DeliveryMode == amqp.Persistent
	m.Header, err = p.Append(nil)
	return m, err
}

// propertiesOf reads the properties of a message to publish.
func propertiesOf(v any) (p amqp.Properties, err error) {
	o, ok := v.(object)
	if !ok {
		if empty, isList := v.([]any); isList && len(empty) == 0 {
			return p, nil
		}
		return p, badRequest("properties are no object")
	}
	for name, to := range textProperties(&p) {
		if *to, err = str(o, name); err != nil {
			return p, err
		}
	}
	if o["headers"] != nil {
		if p.Headers, err = tableOf(o["headers"]); err != nil {
			return p, err
		}
	}
	for _, name := range []string{"delivery_mode", "priority", "timestamp"} {
		n, ok := o[name].(json.Number)
		if !ok && o[name] != nil {
			return p, badRequest([]any{"not_int", name})
		}
		value, _ := n.Int64()
		switch name {
		case "delivery_mode":
			p.DeliveryMode = uint8(value)
		case "priority":
			p.Priority = uint8(value)
		case "timestamp":
			if ok {
				p.Timestamp = time.Unix(value, 0)
			}
		}
	}
	return p, nil
}

func textProperties(p *amqp.Properties) map[string]*string {
	return map[string]*string{
		"content_type": &p.ContentType, "content_encoding": &p.ContentEncoding, "correlation_id": &p.CorrelationID,
		"reply_to": &p.ReplyTo, "expiration": &p.Expiration, "message_id": &p.MessageID, "type": &p.Type,
		"user_id": &p.UserID, "app_id": &p.AppID, "cluster_id": &p.ClusterID,
	}
}

// propertiesObject shows the properties of a message. RabbitMQ writes none as [].
func propertiesObject(header []byte) (any, error) {
	p, err := amqp.ParseProperties(header)
	if err != nil {
		return nil, err
	}
	if p.Flags == 0 {
		return []any{}, nil
	}
	o := object{}
	for name, v := range textProperties(&p) {
		if *v != "" {
			o[name] = *v
		}
	}
	if p.Flags&amqp.FlagHeaders != 0 {
		o["headers"] = objectOf(p.Headers)
	}
	if p.Flags&amqp.FlagDeliveryMode != 0 {
		o["delivery_mode"] = p.DeliveryMode
	}
	if p.Flags&amqp.FlagPriority != 0 {
		o["priority"] = p.Priority
	}
	if p.Flags&amqp.FlagTimestamp != 0 {
		o["timestamp"] = p.Timestamp.Unix()
	}
	return o, nil
}

// maxGet bounds how many messages one request takes out.
const maxGet = 10000

// getMessages takes messages out of a queue, and puts them back if so asked.
func (s *Server) getMessages(c *call) (any, error) {
	q, err := s.queue(c)
	if err != nil {
		return nil, err
	}
	g, err := readGet(c)
	if err != nil {
		return nil, err
	}
	if err := s.allow(c, definitions.Access.MayRead, q.Name); err != nil {
		return nil, err
	}
	items := []object{}
	var taken []vhost.Delivery
	defer func() { g.settle(taken) }()
	for range min(g.count, maxGet) {
		d, remaining, ok, err := c.vhost.Get(q.Name, false, nil)
		if err != nil || !ok {
			return items, err
		}
		taken = append(taken, d)
		o, err := g.object(d, remaining)
		if err != nil {
			return nil, err
		}
		items = append(items, o)
	}
	return items, nil
}

// get is how messages are to be taken out.
type get struct {
	count    int
	truncate int // bytes of a payload to show; 0: all
	base64   bool
	settle   func([]vhost.Delivery)
}

func readGet(c *call) (g get, err error) {
	body, err := c.require("count", "ackmode", "encoding")
	if err != nil {
		return g, err
	}
	if g.count, err = number(body, "count", 1); err != nil {
		return g, err
	}
	if g.truncate, err = number(body, "truncate", 0); err != nil {
		return g, err
	}
	switch e := body["encoding"]; e {
	case "auto":
	case "base64":
		g.base64 = true
	default:
		return g, badRequest([]any{"unsupported_encoding", e})
	}
	how, ok := map[any]func(*vhost.Queue, ...vhost.Delivery){
		"ack_requeue_false":    (*vhost.Queue).Ack,
		"reject_requeue_false": (*vhost.Queue).Reject,
		"ack_requeue_true":     (*vhost.Queue).Requeue,
		"reject_requeue_true":  (*vhost.Queue).Requeue,
	}[body["ackmode"]]
	if !ok {
		return g, badRequest([]any{"unknown_ackmode", body["ackmode"]})
	}
	g.settle = func(ds []vhost.Delivery) {
		if len(ds) > 0 {
			how(ds[0].Queue, ds...)
		}
	}
	return g, nil
}

func (g get) object(d vhost.Delivery, remaining int) (object, error) {
	m := d.Message
	properties, err := propertiesObject(m.Header)
	if err != nil {
		return nil, err
	}
	payload, encoding := m.Body, "string"
	if g.truncate > 0 && len(payload) > g.truncate {
		payload = payload[:g.truncate]
	}
	shown := string(payload)
	if g.base64 || !utf8.Valid(payload) {
		shown, encoding = base64.StdEncoding.EncodeToString(payload), "base64"
	}
	return object{
		"payload_bytes": len(m.Body), "redelivered": d.Redelivered, "exchange": m.Exchange, "routing_key": m.Key,
		"message_count": remaining, "properties": properties, "payload": shown, "payload_encoding": encoding,
	}, nil
}
