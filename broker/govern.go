package broker

import (
	"errors"
	"fmt"

	"thump/broker/amqp"
	"thump/broker/definitions"
	"thump/broker/vhost"
)

// Changes of users, permissions, policies and limits take effect at once: the
// definitions call refresh.

// refresh makes what the definitions say now hold for all that is open.
func (b *Broker) refresh() {
	for _, v := range b.storage.all() {
		if err := b.storage.govern(v); err != nil && !errors.Is(err, definitions.ErrNotFound) {
			b.log.Error("cannot apply policies and limits", "vhost", v.Name(), "err", err)
		}
	}
	for _, c := range b.open() {
		if err := b.refreshConnection(c); err != nil {
			b.log.Error("cannot apply permissions", "connection", c.name, "err", err)
		}
	}
}

// open returns the connections that have completed their handshake.
func (b *Broker) open() (list []*connection) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.connections {
		if c.opened.Load() {
			list = append(list, c)
		}
	}
	return list
}

// refreshConnection gives a connection what its user may do and have now: nothing without
// a permission. The user's deletion ends it.
func (b *Broker) refreshConnection(c *connection) error {
	limits, err := b.storage.defs.UserLimits(c.user)
	if errors.Is(err, definitions.ErrNotFound) {
		c.shutdown(amqp.ConnectionError(amqp.ConnectionForced, "user '%s' is deleted", c.user))
		return nil
	} else if err != nil {
		return err
	}
	c.limits.Store(&limits)
	access, err := b.storage.defs.Access(c.vhost.Name(), c.user)
	if err != nil && !errors.Is(err, definitions.ErrNotFound) {
		return err
	}
	c.access.Store(&access)
	return nil
}

// SetPolicy creates or replaces a policy, or an operator policy, of a virtual host.
func (b *Broker) SetPolicy(vhostName string, operator bool, p vhost.Policy) error {
	return b.storage.defs.PutPolicy(vhostName, operator, p)
}

// ClearPolicy removes a policy; definitions.ErrNotFound if there is none.
func (b *Broker) ClearPolicy(vhostName string, operator bool, name string) error {
	return b.storage.defs.DeletePolicy(vhostName, operator, name)
}

// SetLimits replaces the limits of a virtual host.
func (b *Broker) SetLimits(vhostName string, l vhost.Limits) error {
	return b.storage.defs.SetLimits(vhostName, l)
}

// AddUser creates a user, or changes one, with a password and tags.
func (b *Broker) AddUser(name, password string, tags ...string) error {
	if password == "" {
		return fmt.Errorf("user %q has no password", name)
	}
	return b.storage.defs.PutUser(definitions.User{Name: name, PasswordHash: definitions.HashPassword(password), Tags: tags})
}

// DeleteUser removes a user and ends the user's connections.
func (b *Broker) DeleteUser(name string) error { return b.storage.defs.DeleteUser(name) }
