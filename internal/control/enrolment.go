package control

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// What joins and leaves: questions that are answered by direct reply-to.
const (
	JoinType   = "host.join"
	JoinKey    = "join" // on the enrolment exchange, where a token may write
	LeaveType  = "host.leave"
	LeaveKey   = "thump.leave" // on the request exchange, where a host may write
	AnswerType = "host.answer"
)

// Join is a host that asks to be let in by a token. The broker vouches for the
// token, which is whom the question comes from.
type Join struct {
	Host    string `json:"host"`
	Version string `json:"version,omitempty"`
	OS      string `json:"os,omitempty"`
	Arch    string `json:"arch,omitempty"`
}

// maxName bounds the name of a host or group: a host name's length, RFC 1035 §2.3.4.
const maxName = 255

// Check tells what is wrong with the question.
func (j *Join) Check() error { return CheckName("host", j.Host) }

// CheckName tells whether a host or a group may be called so.
func CheckName(kind, name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%s without a name", kind)
	case len(name) > maxName:
		return fmt.Errorf("name of %s longer than %d bytes", kind, maxName)
	case strings.ContainsFunc(name, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar }):
		return fmt.Errorf("name of %s %q holds a character that is none", kind, name)
	}
	return nil
}

// Refused says why a host was not let in, or out.
type Refused string

// Reasons; the words are what programs go by.
const (
	RefusedExpired Refused = "expired"
	RefusedUsedUp  Refused = "used_up"
	RefusedRevoked Refused = "revoked"
	RefusedUnknown Refused = "unknown"
	RefusedHost    Refused = "host_exists"
	RefusedRequest Refused = "bad_request"
	RefusedServer  Refused = "server_error"
)

// Joined is the answer to a Join: why not, or what the host needs.
type Joined struct {
	Refused Refused `json:"refused,omitempty"`
	Text    string  `json:"text,omitempty"` // of the refusal, for people

	Host       string            `json:"host,omitempty"`
	Groups     []string          `json:"groups,omitempty"` // the first is the label group
	User       string            `json:"user,omitempty"`
	Password   string            `json:"password,omitempty"`
	VHost      string            `json:"vhost,omitempty"`
	CommandKey ed25519.PublicKey `json:"command_key,omitempty"`
}

// Left is the answer to a host that leaves.
type Left struct {
	Refused Refused `json:"refused,omitempty"`
	Text    string  `json:"text,omitempty"`
}

// RefusedError is a refusal at the host that was refused.
type RefusedError struct {
	Refused Refused
	Text    string
}

// Error is the server's text.
func (e *RefusedError) Error() string { return "refused by the server: " + e.Text }

// Err is the refusal as an error, or nil.
func (j *Joined) Err() error { return refusal(j.Refused, j.Text) }

// Err is the refusal as an error, or nil.
func (l *Left) Err() error { return refusal(l.Refused, l.Text) }

func refusal(why Refused, text string) error {
	if why == "" {
		return nil
	}
	if text == "" {
		text = string(why)
	}
	return &RefusedError{why, text}
}

// IsRefused tells whether an error is a refusal for one of the reasons, or
// without reasons for any.
func IsRefused(err error, reasons ...Refused) bool {
	var e *RefusedError
	if !errors.As(err, &e) {
		return false
	}
	return len(reasons) == 0 || slices.Contains(reasons, e.Refused)
}
