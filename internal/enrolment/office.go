package enrolment

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"thump/internal/bus"
	"thump/internal/control"
	"thump/internal/process"
	"thump/internal/vfs"
)

// Config is what the program knows.
type Config struct {
	// DataDir is the folder for enrolment.db.
	DataDir string
	// Socket is the path at which the server's operator asks.
	Socket string
	// Server is the URL by which agents reach the broker; "": there is none by TLS.
	Server string
	// Pin of the CA that the broker shows.
	Pin string
	// VHost of the broker.
	VHost string
}

// Deps are what the office works with.
type Deps struct {
	Bus        bus.Bus
	Accounts   Accounts
	CommandKey ed25519.PrivateKey
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// forgetTokens is how long after its end a token is remembered, so that whoever
// comes with it learns why it does not open.
const forgetTokens = 30 * 24 * time.Hour

// maxTokens bounds the tokens that are remembered.
const maxTokens = 10_000

// Office lets hosts in and out.
type Office struct {
	// Static after construction.
	cfg     Config
	deps    Deps
	log     *slog.Logger
	store   *store
	metrics *metrics
	desk    *process.HTTP
	now     func() time.Time

	mu sync.Mutex // held over a change of store and accounts, which go together
}

// New opens the file and the socket.
func New(cfg Config, deps Deps) (*Office, error) {
	if err := (vfs.OS{}).MkdirAll(cfg.DataDir); err != nil {
		return nil, fmt.Errorf("enrolment: %w", err)
	}
	s, err := openStore(filepath.Join(cfg.DataDir, "enrolment.db"))
	if err != nil {
		return nil, fmt.Errorf("enrolment: %w", err)
	}
	o := &Office{cfg: cfg, deps: deps, log: deps.Logger, store: s, now: time.Now}
	o.metrics = newMetrics(deps.Registerer, o)
	if o.desk, err = openDesk(cfg.Socket, o); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return o, nil
}

// Run answers agents and operator until ctx ends.
func (o *Office) Run(ctx context.Context) error {
	questions, err := o.deps.Bus.Subscribe(ctx, inbox())
	if err != nil {
		return errors.Join(err, o.store.close())
	}
	var asking sync.WaitGroup
	asking.Go(func() {
		for d := range questions {
			o.answer(ctx, &d.Message)
		}
	})
	err = o.desk.Run(ctx)
	asking.Wait()
	return errors.Join(err, o.store.close())
}

// refusalError is why a host is refused.
type refusalError struct {
	why  control.Refused
	text string
}

func (e *refusalError) Error() string { return e.text }

func refuse(why control.Refused, format string, args ...any) error {
	return &refusalError{why, fmt.Sprintf(format, args...)}
}

// join lets a host in by a token.
func (o *Office) join(tokenID string, j *control.Join) (*control.Joined, error) {
	if err := j.Check(); err != nil {
		return nil, refuse(control.RefusedRequest, "%v", err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	t, err := o.openToken(tokenID)
	if err != nil {
		return nil, err
	}
	if h, err := o.store.host(j.Host); err == nil {
		return nil, refuse(control.RefusedHost, "host %s has joined already, on %s: `thump host revoke %s` on the server lets it join again; another host needs another name (--host)",
			h.Name, h.Joined.Format(time.DateTime), h.Name)
	}
	h := &Host{
		Name: j.Host, Groups: t.Groups, Token: t.ID, User: hostUser + j.Host, Joined: o.now().UTC(),
		Version: j.Version, OS: j.OS, Arch: j.Arch,
	}
	password := secret()
	if err := o.deps.Accounts.Put(h.User, password, hostRights(h)); err != nil {
		return nil, fmt.Errorf("make login of host: %w", err)
	}
	t.Used++
	if err := o.store.admit(h, &t); err != nil {
		return nil, errors.Join(fmt.Errorf("note host: %w", err), o.deps.Accounts.Delete(h.User))
	}
	// Promised only now: login and note of it are on disk.
	return &control.Joined{
		Host: h.Name, Groups: h.Groups, User: h.User, Password: password, VHost: o.cfg.VHost,
		CommandKey: o.deps.CommandKey.Public().(ed25519.PublicKey),
	}, nil
}

// openToken returns a token that lets a host in; the caller holds mu.
func (o *Office) openToken(id string) (Token, error) {
	t, err := o.store.token(id)
	if errors.Is(err, ErrNotFound) {
		return t, refuse(control.RefusedUnknown, "token %s is not known", id)
	}
	if err != nil {
		return t, err
	}
	switch why := t.refuses(o.now()); why {
	case control.RefusedRevoked:
		return t, refuse(why, "token %s was revoked on %s", id, t.Revoked.Format(time.DateTime))
	case control.RefusedExpired:
		return t, refuse(why, "token %s expired on %s", id, t.Expires.Format(time.DateTime))
	case control.RefusedUsedUp:
		return t, refuse(why, "token %s is used up: it was for %d hosts", id, t.Uses)
	}
	return t, nil
}

// revokeHost shuts a host out: first its login, then the note of it.
func (o *Office) revokeHost(name string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	h, err := o.exactHost(name)
	if err != nil {
		return err
	}
	if err := o.deps.Accounts.Delete(h.User); err != nil {
		return fmt.Errorf("remove login of host: %w", err)
	}
	return o.store.deleteHost(h.Name)
}

// lockOut is revokeHost without ending the host's connection, over which it is yet
// to be answered: its login opens nothing any more.
func (o *Office) lockOut(name string) (Host, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	h, err := o.exactHost(name)
	if err != nil {
		return h, err
	}
	if err := o.deps.Accounts.Put(h.User, "", Rights{}); err != nil {
		return h, fmt.Errorf("close login of host: %w", err)
	}
	return h, o.store.deleteHost(h.Name)
}

// exactHost is the host of that very name, not one that shares its key.
func (o *Office) exactHost(name string) (Host, error) {
	h, err := o.store.host(name)
	if err == nil && h.Name != name {
		err = ErrNotFound
	}
	return h, err
}

// createToken makes a token and returns its secret, which is known to nobody else
// afterwards.
func (o *Office) createToken(groups []string, life time.Duration, uses int) (Token, string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.forget(); err != nil {
		return Token{}, "", err
	}
	var id [4]byte
	rand.Read(id[:]) // never fails, see crypto/rand
	t := Token{ID: hex.EncodeToString(id[:]), Groups: groups, Created: o.now().UTC(), Expires: o.now().Add(life).UTC(), Uses: uses}
	word := secret()
	if err := o.deps.Accounts.Put(tokenUser+t.ID, word, tokenRights()); err != nil {
		return t, "", fmt.Errorf("make login of token: %w", err)
	}
	if err := o.store.putToken(&t); err != nil {
		return t, "", errors.Join(fmt.Errorf("note token: %w", err), o.deps.Accounts.Delete(tokenUser+t.ID))
	}
	return t, word, nil
}

// forget drops tokens that ended long ago; the caller holds mu.
func (o *Office) forget() error {
	tokens, err := o.store.tokens()
	if err != nil {
		return err
	}
	left := len(tokens)
	for _, t := range tokens {
		if o.now().Sub(t.end()) < forgetTokens {
			continue
		}
		if err := errors.Join(o.deps.Accounts.Delete(tokenUser+t.ID), o.store.deleteToken(t.ID)); err != nil {
			return fmt.Errorf("forget token %s: %w", t.ID, err)
		}
		left--
	}
	if left >= maxTokens {
		return fmt.Errorf("%d tokens are remembered, no more can be made", left)
	}
	return nil
}

func (o *Office) revokeToken(id string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	t, err := o.store.token(id)
	if err != nil || !t.Revoked.IsZero() {
		return err
	}
	t.Revoked = o.now().UTC()
	return o.store.putToken(&t)
}

// secret draws 130 bits, in letters and digits.
func secret() string { return rand.Text() }
