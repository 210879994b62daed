package broker

import (
	"strings"
	"time"

	"thump/broker/amqp"
)

// mechanisms are the ways to log in, as connection.start lists them.
const mechanisms = "PLAIN AMQPLAIN"

// mechanisms adds EXTERNAL for a client that has shown a certificate.
func (c *connection) mechanisms() string {
	if c.certifiedName() == "" {
		return mechanisms
	}
	return mechanisms + " EXTERNAL"
}

// logIn checks what connection.start-ok brings. The answer to a failure waits,
// longer each time.
func (c *connection) logIn(m *amqp.ConnectionStartOk) (user string, err error) {
	name := c.certifiedName()
	if m.Mechanism == "EXTERNAL" && name != "" {
		user, err = c.broker.loginExternal(name)
	} else {
		user, err = c.broker.login(m.Mechanism, m.Response, c.fromLoopback())
	}
	peer := c.conn.RemoteAddr()
	if err == nil {
		c.broker.logins.succeed(peer)
		return user, nil
	}
	select {
	case <-time.After(c.broker.logins.fail(peer, time.Now())):
	case <-c.out.gone:
	}
	return "", err
}

// loginExternal lets in a client by the common name of its certificate.
func (b *Broker) loginExternal(name string) (string, error) {
	if _, err := b.storage.defs.User(name); err != nil {
		b.log.Warn("login refused", "user", name, "mechanism", "EXTERNAL", "err", err)
		return "", loginRefused("EXTERNAL")
	}
	return name, nil
}

func loginRefused(mechanism string) error {
	return amqp.ConnectionError(amqp.AccessRefused,
		"Login was refused using authentication mechanism %s. For details see the broker logfile.", mechanism)
}

// login checks a name and a password.
func (b *Broker) login(mechanism, response string, loopback bool) (user string, err error) {
	var password string
	var ok bool
	switch mechanism {
	case "PLAIN":
		user, password, ok = parsePlain(response)
	case "AMQPLAIN":
		user, password, ok = parseAMQPlain(response)
	default:
		return "", amqp.ConnectionError(amqp.CommandInvalid, "unknown authentication mechanism '%s'", mechanism)
	}
	if ok {
		err = b.storage.authenticate(user, password, loopback)
	}
	if !ok || err != nil {
		b.log.Warn("login refused", "user", user, "mechanism", mechanism, "err", err)
		return "", loginRefused(mechanism)
	}
	return user, nil
}

// parsePlain reads "authorization id NUL user NUL password", RFC 4616.
func parsePlain(response string) (user, password string, ok bool) {
	_, rest, ok := strings.Cut(response, "\x00")
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, "\x00")
}

// parseAMQPlain reads the content of a field table with LOGIN and PASSWORD.
func parseAMQPlain(response string) (user, password string, ok bool) {
	t, err := amqp.ParseTable([]byte(response))
	if err != nil {
		return "", "", false
	}
	user, named := t["LOGIN"].(string)
	password, given := t["PASSWORD"].(string)
	return user, password, named && given
}
