package broker

import (
	"net"

	"thump/broker/amqp"
	"thump/broker/definitions"
)

// What management needs beside the sockets.

// Definitions returns the store of users and permissions.
func (b *Broker) Definitions() *definitions.Store { return b.storage.defs }

// Authenticate checks a password; loopback says whether the user comes from this
// host.
func (b *Broker) Authenticate(user, password string, loopback bool) error {
	return b.storage.authenticate(user, password, loopback)
}

// Config returns what the broker was told.
func (b *Broker) Config() Config { return b.config }

// Addrs returns the addresses that the broker listens on.
func (b *Broker) Addrs() []net.Addr {
	addrs := make([]net.Addr, len(b.listeners))
	for i, l := range b.listeners {
		addrs[i] = l.Addr()
	}
	return addrs
}

// CloseConnection sends the client of that name away, and reports whether there
// is one.
func (b *Broker) CloseConnection(name, reason string) bool {
	c := b.find(name)
	if c == nil {
		return false
	}
	if c.opened.Load() {
		c.shutdown(amqp.ConnectionError(amqp.ConnectionForced, "%s", reason))
	} else {
		_ = c.conn.Close() // nothing was promised on it
	}
	return true
}

func (b *Broker) find(name string) *connection {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.connections {
		if c.name == name {
			return c
		}
	}
	return nil
}
