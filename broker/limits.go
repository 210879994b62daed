package broker

import (
	"thump/broker/amqp"
	"thump/broker/definitions"
)

// How much users and virtual hosts may have open.

// letIn opens a connection unless its virtual host or its user has enough. Two
// that come at once are counted one after the other.
func (b *Broker) letIn(c *connection) error {
	b.opening.Lock()
	defer b.opening.Unlock()
	if err := b.roomInVHost(c); err != nil {
		return err
	}
	if err := b.roomForUser(c); err != nil {
		return err
	}
	c.opened.Store(true)
	return nil
}

// limited returns a limit that there is.
func limited(limit *int) (most int, ok bool) {
	if limit == nil || *limit < 0 {
		return 0, false
	}
	return *limit, true
}

// roomInVHost refuses a connection beyond the virtual host's limit.
func (b *Broker) roomInVHost(c *connection) error {
	most, ok := limited(c.vhost.Limits().MaxConnections)
	if !ok || b.count(func(o *connection) int { return one(o.vhost == c.vhost) }) < most {
		return nil
	}
	return amqp.ConnectionError(amqp.NotAllowed,
		"access to vhost '%s' refused for user '%s': connection limit (%d) is reached", c.vhost.Name(), c.user, most)
}

// roomForUser refuses a connection beyond the user's limit.
func (b *Broker) roomForUser(c *connection) error {
	most, ok := limited(c.limits.Load().MaxConnections)
	if !ok || b.count(func(o *connection) int { return one(o.user == c.user) }) < most {
		return nil
	}
	return amqp.ConnectionError(amqp.NotAllowed,
		"connection refused for user '%s': user connection limit (%d) is reached", c.user, most)
}

// addChannel counts a channel, and refuses one beyond the user's limit.
func (b *Broker) addChannel(c *connection) error {
	most, ok := limited(c.limits.Load().MaxChannels)
	if !ok {
		c.channelCount.Add(1)
		return nil
	}
	b.opening.Lock()
	defer b.opening.Unlock()
	channels := func(o *connection) int { return one(o.user == c.user) * int(o.channelCount.Load()) }
	if b.count(channels) >= most {
		return amqp.ConnectionError(amqp.NotAllowed,
			"number of channels opened for user '%s' has reached the maximum allowed user limit of (%d)", c.user, most)
	}
	c.channelCount.Add(1)
	return nil
}

// count sums up over the open connections.
func (b *Broker) count(of func(*connection) int) (n int) {
	for _, c := range b.open() {
		n += of(c)
	}
	return n
}

func one(is bool) int {
	if is {
		return 1
	}
	return 0
}

// SetUserLimits replaces the limits of a user. What is beyond them already stays.
func (b *Broker) SetUserLimits(user string, l definitions.UserLimits) error {
	return b.storage.defs.SetUserLimits(user, l)
}
