package bus

import (
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
)

// ensure makes the topology exist, or only looks whether it does.
func ensure(ch *amqp.Channel, t *Topology, cfg *Config) error {
	if cfg.Passive {
		return look(ch, t)
	}
	return declare(ch, t, cfg.QueueType)
}

// declare makes the topology exist; a broker that has it already agrees.
func declare(ch *amqp.Channel, t *Topology, queueType string) error {
	for _, e := range t.Exchanges {
		if err := ch.ExchangeDeclare(e.Name, e.Kind, true, false, false, false, amqp.Table(e.Args)); err != nil {
			return fmt.Errorf("declare exchange %s: %w", e.Name, err)
		}
	}
	for _, q := range t.Queues {
		if _, err := ch.QueueDeclare(q.Name, true, false, false, false, amqp.Table(q.arguments(queueType))); err != nil {
			return fmt.Errorf("declare queue %s: %w%s", q.Name, err, hint(err))
		}
	}
	for _, b := range t.Bindings {
		bind := ch.QueueBind
		if b.ToExchange {
			bind = ch.ExchangeBind
		}
		if err := bind(b.Destination, b.Key, b.Source, false, nil); err != nil {
			return fmt.Errorf("bind %s to %s: %w", b.Destination, b.Source, err)
		}
	}
	return nil
}

// look fails if an exchange or a queue is missing.
func look(ch *amqp.Channel, t *Topology) error {
	for _, e := range t.Exchanges {
		if err := ch.ExchangeDeclarePassive(e.Name, e.Kind, true, false, false, false, nil); err != nil {
			return fmt.Errorf("look for exchange %s (thump bus setup makes it): %w", e.Name, err)
		}
	}
	for _, q := range t.Queues {
		if _, err := ch.QueueDeclarePassive(q.Name, true, false, false, false, nil); err != nil {
			return fmt.Errorf("look for queue %s (thump bus setup makes it): %w", q.Name, err)
		}
	}
	return nil
}

// hint says what to do about a refusal.
func hint(err error) string {
	var e *amqp.Error
	switch {
	case !errors.As(err, &e):
	case e.Code == amqp.PreconditionFailed:
		return "; it was made otherwise: bus.queue_type (--bus-queue-type) must be what it was made with, or the queue be deleted"
	case e.Code == amqp.AccessRefused:
		return "; this login may not make queues: run thump bus setup as one that may, and set bus.passive (--bus-passive)"
	}
	return ""
}
