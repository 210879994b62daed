package enrolment

import (
	"regexp"
	"strings"

	"thump/internal/control"
	"thump/internal/telemetry"
)

// Accounts are the logins of a broker.
type Accounts interface {
	// Put makes a login, or replaces it. With an empty password nobody can log in.
	Put(user, password string, r Rights) error
	// Delete removes a login and ends its connections; it is no error that there is none.
	Delete(user string) error
}

// Rights are what a login may do: regular expressions over the names of exchanges
// and queues, and over the keys that it may bind on the control exchange.
type Rights struct{ Configure, Write, Read, ControlKeys string }

// Logins of tokens and hosts begin so.
const (
	tokenUser = "join."
	hostUser  = "agent."
)

// tokenRights are to ask to be let in.
func tokenRights() Rights { return Rights{Write: names(telemetry.EnrolmentExchange)} }

// ownQueue is what the broker calls a queue that a client leaves unnamed. Agents
// declare theirs exclusive, so that no other login reads it.
const ownQueue = `amq\.gen-[A-Za-z0-9_-]+`

// hostRights are to publish, to ask, and to hear on a queue of its own what is said
// to the host, its groups, or all.
func hostRights(h *Host) Rights {
	keys := []string{regexp.QuoteMeta(control.AllKey), regexp.QuoteMeta(control.HostKey(h.Name)), regexp.QuoteMeta(control.ReplyKey("")) + `[A-Za-z0-9_-]+`}
	for _, g := range h.Groups {
		keys = append(keys, regexp.QuoteMeta(control.GroupKey(g)))
	}
	return Rights{
		// The built-in broker asks with the beginning of the name it will choose, RabbitMQ with the whole.
		Configure:   `^amq\.gen-[A-Za-z0-9_-]*$`,
		Write:       names(telemetry.MetricsExchange, telemetry.RequestExchange, ownQueue),
		Read:        names(telemetry.ControlExchange, ownQueue),
		ControlKeys: "^(" + strings.Join(keys, "|") + ")$",
	}
}

// names is an expression for exactly these; one that is an expression already stays.
func names(all ...string) string {
	for i, n := range all {
		if n != ownQueue {
			all[i] = regexp.QuoteMeta(n)
		}
	}
	return "^(" + strings.Join(all, "|") + ")$"
}
