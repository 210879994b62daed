package broker

import "thump/broker/amqp"

// The permissions of a user, as RabbitMQ asks them: configure for what is
// declared and deleted, write for what is published to or bound, read for what
// is consumed, purged or bound from.

func (ch *channel) mayConfigure(kind, name string) error {
	return ch.allowed(ch.conn.access.Load().MayConfigure(permissionName(name)), "configure", kind, name)
}

func (ch *channel) mayWrite(kind, name string) error {
	return ch.allowed(ch.conn.access.Load().MayWrite(permissionName(name)), "write", kind, name)
}

func (ch *channel) mayRead(kind, name string) error {
	return ch.allowed(ch.conn.access.Load().MayRead(permissionName(name)), "read", kind, name)
}

// permissionName is what the expressions are matched with: the default exchange
// has no name of its own.
func permissionName(name string) string {
	if name == "" {
		return "amq.default"
	}
	return name
}

func (ch *channel) allowed(ok bool, what, kind, name string) error {
	if ok {
		return nil
	}
	return amqp.ChannelError(amqp.AccessRefused, "%s access to %s '%s' in vhost '%s' refused for user '%s'",
		what, kind, name, ch.conn.vhost.Name(), ch.conn.user)
}

// mayPublish asks once per exchange while a channel stays with it.
func (ch *channel) mayPublish(exchange string) error {
	access := ch.conn.access.Load()
	if ch.publishes == access && ch.publishesTo == exchange {
		return nil
	}
	if err := ch.mayWrite("exchange", exchange); err != nil {
		return err
	}
	ch.conn.published.Store(true)
	ch.publishes, ch.publishesTo = access, exchange
	ch.topics = access.HasTopics() && ch.conn.vhost.IsTopic(exchange)
	return nil
}

// mayPublishTopic asks what a routing key allows. RabbitMQ extension: topic
// permissions.
func (ch *channel) mayPublishTopic(exchange, key string) error {
	if !ch.topics || ch.conn.access.Load().MayWriteTopic(exchange, key) {
		return nil
	}
	return ch.topicRefused("write", exchange, key)
}

func (ch *channel) mayBindTopic(exchange, key string) error {
	if !ch.conn.vhost.IsTopic(exchange) || ch.conn.access.Load().MayReadTopic(exchange, key) {
		return nil
	}
	return ch.topicRefused("read", exchange, key)
}

func (ch *channel) topicRefused(what, exchange, key string) error {
	return amqp.ChannelError(amqp.AccessRefused, "%s access to topic '%s' in exchange '%s' in vhost '%s' refused for user '%s'",
		what, key, exchange, ch.conn.vhost.Name(), ch.conn.user)
}
