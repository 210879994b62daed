package bus

import (
	"fmt"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

func publishing(m *Message) amqp.Publishing {
	p := amqp.Publishing{
		ContentType:     m.ContentType,
		ContentEncoding: m.ContentEncoding,
		DeliveryMode:    amqp.Persistent,
		CorrelationId:   m.CorrelationID,
		ReplyTo:         m.ReplyTo,
		MessageId:       m.ID,
		Timestamp:       m.Time,
		Type:            m.Type,
		Body:            m.Body,
	}
	if m.Expires > 0 {
		p.Expiration = strconv.FormatInt(m.Expires.Milliseconds(), 10)
	}
	if m.Transient {
		p.DeliveryMode = amqp.Transient
	}
	if len(m.Headers) > 0 {
		p.Headers = make(amqp.Table, len(m.Headers))
		for k, v := range m.Headers {
			p.Headers[k] = v
		}
	}
	return p
}

func fromAMQP(d *amqp.Delivery, s settler) *Delivery {
	return &Delivery{
		Message: Message{
			Key:             d.RoutingKey,
			ContentType:     d.ContentType,
			ContentEncoding: d.ContentEncoding,
			Type:            d.Type,
			ID:              d.MessageId,
			CorrelationID:   d.CorrelationId,
			ReplyTo:         d.ReplyTo,
			Time:            d.Timestamp,
			Headers:         headers(d.Headers),
			Body:            d.Body,
			Transient:       d.DeliveryMode != amqp.Persistent,
			Expires:         expires(d.Expiration),
			From:            d.UserId,
		},
		Exchange:    d.Exchange,
		Redelivered: d.Redelivered,
		settle:      s,
		tag:         d.DeliveryTag,
	}
}

// expires reads the property expiration: milliseconds as text.
func expires(s string) time.Duration {
	ms, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0
	}
	return time.Duration(ms) * time.Millisecond
}

// headers keeps what can be said as text: strings and numbers.
func headers(t amqp.Table) map[string]string {
	if len(t) == 0 {
		return nil
	}
	out := make(map[string]string, len(t))
	for k, v := range t {
		switch v := v.(type) {
		case string:
			out[k] = v
		case []byte:
			out[k] = string(v)
		case bool, int8, uint8, int16, int32, int64, int, float32, float64:
			out[k] = fmt.Sprint(v)
		}
	}
	return out
}

// amqpChannel settles the deliveries of one AMQP channel.
type amqpChannel struct{ ch *amqp.Channel }

func (c amqpChannel) ack(tag uint64, multiple bool) error { return c.ch.Ack(tag, multiple) }

func (c amqpChannel) reject(tag uint64) error { return c.ch.Reject(tag, false) }
