package control

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"thump/internal/bus"
	"thump/internal/config"
)

// Remote commands: a request goes to the control exchange, answers to the request
// exchange, where an agent may write, under the key that the request names.
const (
	CommandType = "agent.command"
	OutcomeType = "agent.outcome"
)

const (
	// SignatureHeader holds the signature of a request's body, in base64.
	SignatureHeader = "thump-signature"
	// signed stands before what is signed, so that no other signature of the same
	// key fits.
	signed = "thump command 1\x00"

	// CommandWindow is how far the time of a request may be from an agent's own.
	CommandWindow = 2 * time.Minute
	// MaxCommandTimeout bounds how long a command may run.
	MaxCommandTimeout = 10 * time.Minute
	maxArguments      = 64 << 10 // bytes
	maxTargets        = 100
)

// Command asks agents to run something. All of it is signed.
type Command struct {
	ID     string    `json:"id"` // drawn anew for each request
	Issued time.Time `json:"issued"`
	// Of Host, Groups and All one says who is meant.
	Host    string          `json:"host,omitempty"`
	Groups  []string        `json:"groups,omitempty"`
	All     bool            `json:"all,omitempty"`
	Argv    []string        `json:"argv"`
	Timeout config.Duration `json:"timeout"`
	ReplyTo string          `json:"reply_to"` // a reply key
}

// Check tells what is wrong with the request.
func (c *Command) Check() error {
	targets, size := 0, 0
	for _, given := range []bool{c.Host != "", len(c.Groups) > 0, c.All} {
		if given {
			targets++
		}
	}
	for _, a := range c.Argv {
		size += len(a)
		if strings.ContainsRune(a, 0) {
			return errors.New("command: an argument holds a zero byte")
		}
	}
	switch {
	case targets != 1:
		return errors.New("command: want one of host, group and all")
	case len(c.Groups) > maxTargets:
		return fmt.Errorf("command: for more than %d groups", maxTargets)
	case len(c.Argv) == 0 || c.Argv[0] == "":
		return errors.New("command: is empty")
	case size > maxArguments:
		return fmt.Errorf("command: %d bytes, want at most %d", size, maxArguments)
	case c.Timeout.D() < time.Second || c.Timeout.D() > MaxCommandTimeout:
		return fmt.Errorf("command: timeout %s, want 1s to %s", c.Timeout, MaxCommandTimeout)
	case !strings.HasPrefix(c.ReplyTo, ReplyKey("")) || c.ReplyTo != ReplyKey(strings.TrimPrefix(c.ReplyTo, ReplyKey(""))):
		return fmt.Errorf("command: reply to %q, want a reply key", c.ReplyTo)
	}
	return nil
}

// Means tells whether a host is meant.
func (c *Command) Means(host string, groups []string) bool {
	return c.All || c.Host != "" && c.Host == host ||
		slices.ContainsFunc(c.Groups, func(g string) bool { return slices.Contains(groups, g) })
}

// Target says who is meant, for people.
func (c *Command) Target() string {
	switch {
	case c.All:
		return "all hosts"
	case c.Host != "":
		return "host " + c.Host
	}
	return "group " + strings.Join(c.Groups, ", ")
}

// Sign puts the signature on a message whose body is a Command.
func Sign(m *bus.Message, key ed25519.PrivateKey) {
	if m.Headers == nil {
		m.Headers = map[string]string{}
	}
	m.Headers[SignatureHeader] = base64.StdEncoding.EncodeToString(ed25519.Sign(key, append([]byte(signed), m.Body...)))
}

// ErrSignature is that a request is not what the server has signed.
var ErrSignature = errors.New("not signed by the server's key, or altered")

// Verify returns the Command in a message that the key's owner has signed.
func Verify(m *bus.Message, key ed25519.PublicKey) (*Command, error) {
	signature, err := base64.StdEncoding.DecodeString(m.Headers[SignatureHeader])
	if err != nil || len(key) != ed25519.PublicKeySize || !ed25519.Verify(key, append([]byte(signed), m.Body...), signature) {
		return nil, ErrSignature
	}
	var c Command
	if err := Decode(m, &c); err != nil {
		return nil, err
	}
	return &c, c.Check()
}

// State is how far a host has got with a command.
type State string

// States; all but started are final.
const (
	Started  State = "started"
	Done     State = "done"
	Denied   State = "refused"
	TimedOut State = "timed_out"
	Failed   State = "failed" // it could not be started
)

// Outcome is what a host answers.
type Outcome struct {
	Host     string  `json:"host"`
	State    State   `json:"state"`
	ExitCode int     `json:"exit_code"` // of done; -1: ended by a signal
	Stdout   string  `json:"stdout,omitempty"`
	Stderr   string  `json:"stderr,omitempty"`
	Cut      bool    `json:"cut,omitempty"`    // there was more output
	Reason   string  `json:"reason,omitempty"` // of refused and failed
	Seconds  float64 `json:"seconds,omitempty"`
}
