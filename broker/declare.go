package broker

import (
	"thump/broker/amqp"
	"thump/broker/vhost"
)

// queueName resolves an empty queue name: the queue that the channel has
// declared last, AMQP 0-9-1 §1.7.2.3.
func (ch *channel) queueName(name string) (string, error) {
	if name != "" {
		return name, nil
	}
	if ch.lastQueue == "" {
		return "", amqp.ChannelError(amqp.NotFound, "no previously declared queue")
	}
	return ch.lastQueue, nil
}

// readableQueue resolves a queue name that is to be read from.
func (ch *channel) readableQueue(name string) (string, error) {
	queue, err := ch.queueName(name)
	if err == nil {
		err = ch.mayRead("queue", queue)
	}
	return queue, err
}

func (ch *channel) declareExchange(m *amqp.ExchangeDeclare) error {
	if err := ch.mayConfigure("exchange", m.Exchange); err != nil && !m.Passive {
		return err
	}
	err := ch.conn.vhost.DeclareExchange(vhost.ExchangeSpec{
		Name: m.Exchange, Type: m.Type, Durable: m.Durable, AutoDelete: m.AutoDelete,
		Internal: m.Internal, Passive: m.Passive, Args: m.Arguments,
	})
	return ch.done(err, m.NoWait, &amqp.ExchangeDeclareOk{})
}

func (ch *channel) deleteExchange(m *amqp.ExchangeDelete) error {
	err := ch.mayConfigure("exchange", m.Exchange)
	if err == nil {
		err = ch.conn.vhost.DeleteExchange(m.Exchange, m.IfUnused)
	}
	return ch.done(err, m.NoWait, &amqp.ExchangeDeleteOk{})
}

func (ch *channel) bindExchange(m *amqp.ExchangeBind) error {
	err := ch.mayBind("exchange", m.Destination, m.Source)
	if err == nil {
		err = ch.conn.vhost.BindExchange(m.Destination, m.Source, m.RoutingKey, m.Arguments)
	}
	return ch.done(err, m.NoWait, &amqp.ExchangeBindOk{})
}

func (ch *channel) unbindExchange(m *amqp.ExchangeUnbind) error {
	err := ch.mayBind("exchange", m.Destination, m.Source)
	if err == nil {
		err = ch.conn.vhost.UnbindExchange(m.Destination, m.Source, m.RoutingKey, m.Arguments)
	}
	return ch.done(err, m.NoWait, &amqp.ExchangeUnbindOk{})
}

// mayBind asks for what a binding needs at both ends.
func (ch *channel) mayBind(kind, destination, source string) error {
	if err := ch.mayWrite(kind, destination); err != nil {
		return err
	}
	return ch.mayRead("exchange", source)
}

func (ch *channel) declareQueue(m *amqp.QueueDeclare) error {
	if isReplyQueue(m.Queue) || isReply("", m.Queue) {
		return ch.declareReplies(m)
	}
	name, err := ch.declarable(m)
	if err != nil {
		return err
	}
	info, err := ch.conn.vhost.DeclareQueue(vhost.QueueSpec{
		Name: name, Durable: m.Durable, Exclusive: m.Exclusive, AutoDelete: m.AutoDelete,
		Passive: m.Passive, Args: m.Arguments,
	}, ch.conn.owner)
	if err != nil {
		return err
	}
	ch.lastQueue = info.Name
	return ch.done(nil, m.NoWait, &amqp.QueueDeclareOk{
		Queue: info.Name, MessageCount: info.Messages, ConsumerCount: info.Consumers,
	})
}

// declarable returns the name to declare, if the user may.
func (ch *channel) declarable(m *amqp.QueueDeclare) (string, error) {
	switch {
	case m.Passive:
		return ch.queueName(m.Queue)
	case m.Queue == "":
		return "", ch.mayConfigure("queue", "amq.gen-") // the beginning of what the broker will choose
	}
	return m.Queue, ch.mayConfigure("queue", m.Queue)
}

func (ch *channel) bindQueue(m *amqp.QueueBind) error {
	queue, key, err := ch.binding(m.Queue, m.RoutingKey, m.Exchange)
	if err == nil {
		err = ch.conn.vhost.BindQueue(queue, m.Exchange, key, m.Arguments, ch.conn.owner)
	}
	return ch.done(err, m.NoWait, &amqp.QueueBindOk{})
}

func (ch *channel) unbindQueue(m *amqp.QueueUnbind) error {
	queue, key, err := ch.binding(m.Queue, m.RoutingKey, m.Exchange)
	if err == nil {
		err = ch.conn.vhost.UnbindQueue(queue, m.Exchange, key, m.Arguments, ch.conn.owner)
	}
	return ch.done(err, false, &amqp.QueueUnbindOk{})
}

// binding resolves the names of a queue's binding. With an empty queue name an
// empty routing key means the queue, too.
func (ch *channel) binding(queue, key, exchange string) (string, string, error) {
	name, err := ch.queueName(queue)
	if err != nil {
		return "", "", err
	}
	if queue == "" && key == "" {
		key = name
	}
	if err := ch.mayBind("queue", name, exchange); err != nil {
		return "", "", err
	}
	return name, key, ch.mayBindTopic(exchange, key)
}

func (ch *channel) purgeQueue(m *amqp.QueuePurge) error {
	queue, err := ch.readableQueue(m.Queue)
	if err != nil {
		return err
	}
	n, err := ch.conn.vhost.PurgeQueue(queue, ch.conn.owner)
	return ch.done(err, m.NoWait, &amqp.QueuePurgeOk{MessageCount: n})
}

func (ch *channel) deleteQueue(m *amqp.QueueDelete) error {
	queue, err := ch.queueName(m.Queue)
	if err == nil {
		err = ch.mayConfigure("queue", queue)
	}
	if err != nil {
		return err
	}
	n, err := ch.conn.vhost.DeleteQueue(queue, m.IfUnused, m.IfEmpty, ch.conn.owner)
	return ch.done(err, m.NoWait, &amqp.QueueDeleteOk{MessageCount: n})
}

// done answers a method that has succeeded.
func (ch *channel) done(err error, nowait bool, reply amqp.Method) error {
	if err == nil {
		ch.answer(nowait, reply)
	}
	return err
}
