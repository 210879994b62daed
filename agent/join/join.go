package join

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"os"
	"runtime"
	"strings"
	"time"

	"thump/internal/bus"
	"thump/internal/control"
	"thump/internal/telemetry"
)

// Errors that the command line tells apart.
var (
	ErrToken       = errors.New("token not accepted")
	ErrJoined      = errors.New("joined already")
	ErrUnreachable = errors.New("no answer from the server")
)

// patience is how long a question may take.
const patience = 20 * time.Second

// Invitation is what the operator was given.
type Invitation struct {
	Server string // amqps://host:port
	Token  string // ID-SECRET
	Pin    string // "": whoever the system trusts
	Host   string // "": the host name
}

// tokenUser is how the logins of tokens begin.
const tokenUser = "join."

// Ask asks the server to let this host in.
func Ask(ctx context.Context, i Invitation, version string) (*Membership, error) {
	u, err := url.Parse(i.Server)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("%q: want amqps://HOST:PORT", i.Server)
	}
	if u.Scheme != "amqps" {
		return nil, fmt.Errorf("%s: a host joins over TLS only, by amqps://", u.Redacted())
	}
	id, secret, ok := strings.Cut(i.Token, "-")
	if !ok || id == "" || secret == "" {
		return nil, errors.New("--token: want ID-SECRET, as `thump token create` prints it")
	}
	if i.Host == "" {
		if i.Host, err = os.Hostname(); err != nil {
			return nil, fmt.Errorf("read host name, give one with --host: %w", err)
		}
	}
	t, err := newTrust(u.Hostname(), i.Pin)
	if err != nil {
		return nil, err
	}
	u.User = url.UserPassword(tokenUser+id, secret)
	q, err := control.Encode(control.JoinType, control.JoinKey, &control.Join{Host: i.Host, Version: version, OS: runtime.GOOS, Arch: runtime.GOARCH})
	if err != nil {
		return nil, err
	}
	var answer control.Joined
	if err := ask(ctx, bus.Config{URLs: []string{u.String()}}, t.config(), telemetry.EnrolmentExchange, q, &answer); err != nil {
		return nil, err
	}
	if err := answer.Err(); err != nil {
		return nil, tell(err)
	}
	return membership(u, t, &answer), nil
}

// membership is what the agent's configuration needs to hold.
func membership(u *url.URL, t *trust, a *control.Joined) *Membership {
	own := url.URL{Scheme: u.Scheme, Host: u.Host, User: url.UserPassword(a.User, a.Password), Path: "/"}
	if a.VHost != "/" {
		own.Path = "/" + a.VHost
	}
	return &Membership{
		URL: own.String(), CA: string(t.ca), Host: a.Host, Groups: a.Groups,
		CommandKey: base64.StdEncoding.EncodeToString(a.CommandKey),
	}
}

// Leave asks the server to remove this host's login.
func Leave(ctx context.Context, cfg bus.Config) error {
	q, err := control.Encode(control.LeaveType, control.LeaveKey, struct{}{})
	if err != nil {
		return err
	}
	var answer control.Left
	if err := ask(ctx, cfg, nil, telemetry.RequestExchange, q, &answer); err != nil {
		return err
	}
	return answer.Err()
}

// ask puts a question and says what went wrong so that it tells what to do.
func ask(ctx context.Context, cfg bus.Config, trust *tls.Config, exchange string, q *bus.Message, into any) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	answer, err := bus.Ask(ctx, cfg, trust, exchange, q)
	if err != nil {
		return tell(err)
	}
	return control.Decode(answer, into)
}

// tell sorts errors into those that the command line tells apart.
func tell(err error) error {
	var plain tls.RecordHeaderError
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	switch {
	case errors.Is(err, ErrTrust):
		return err
	case errors.As(err, &unknown), errors.As(err, &name):
		return fmt.Errorf("%w: %w (--ca-pin names the CA, as `thump token create` prints it)", ErrTrust, err)
	case errors.As(err, &plain):
		return fmt.Errorf("%w: it does not speak TLS there; the port is that of its --amqps: %w", ErrUnreachable, err)
	case errors.Is(err, bus.ErrLogin):
		return fmt.Errorf("%w: it is wrong, or ended more than 30 days ago: %w", ErrToken, err)
	case control.IsRefused(err, control.RefusedExpired, control.RefusedUsedUp, control.RefusedRevoked, control.RefusedUnknown):
		return fmt.Errorf("%w: %w", ErrToken, err)
	case control.IsRefused(err, control.RefusedHost):
		return fmt.Errorf("%w: %w", ErrJoined, err)
	case control.IsRefused(err):
		return err
	case errors.Is(err, bus.ErrUnroutable):
		return fmt.Errorf("%w: nothing there lets hosts in (`thump up` and `thump broker` do)", ErrUnreachable)
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, err)
}
