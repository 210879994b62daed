package enrolment

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"time"

	"thump/internal/bus"
	"thump/internal/config"
	"thump/internal/control"
	"thump/internal/process"
)

const (
	maxBody = 256 << 10
	// MaxTokenLife bounds how long a token may open.
	MaxTokenLife = 366 * 24 * time.Hour
)

// NewToken is what the operator asks for.
type NewToken struct {
	Groups  []string        `json:"groups"`
	Expires config.Duration `json:"expires"`
	Uses    int             `json:"uses"` // 0: any number
}

// Invitation is a new token with what a host needs to join by it.
type Invitation struct {
	Token  Token  `json:"token"`
	Secret string `json:"secret"` // what `join --token` takes; told once
	Server string `json:"server"` // "": the broker does not listen for TLS
	Pin    string `json:"pin"`
}

// Signed is a request as it goes to agents.
type Signed struct {
	Command   control.Command `json:"command"`
	Body      []byte          `json:"body"`
	Signature string          `json:"signature"`
}

// Message is the request under a routing key.
func (s *Signed) Message(key string) *bus.Message {
	m := control.Raw(control.CommandType, key, s.Body)
	m.Headers = map[string]string{control.SignatureHeader: s.Signature}
	return m
}

// openDesk listens on the socket. The caller has enrolment.db, so whatever is at
// the path was left behind by a process that was killed.
func openDesk(path string, o *Office) (*process.HTTP, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("remove the socket left behind: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen for `thump token`, `host` and `exec` (a socket's path may have about 100 bytes, this one has %d: choose a shorter --data-dir): %w", len(path), err)
	}
	// The folder is its owner's alone; so is the socket, should someone open the folder.
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("protect the socket: %w", err), l.Close())
	}
	return process.NewHTTPOn(l, o.deskHandler(), o.log), nil
}

func (o *Office) deskHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /tokens", o.serveCreate)
	mux.HandleFunc("GET /tokens", func(w http.ResponseWriter, _ *http.Request) { reply(w, o.store.tokens) })
	mux.HandleFunc("DELETE /tokens/{id}", func(w http.ResponseWriter, r *http.Request) {
		o.serveRevoke(w, "token", r.PathValue("id"), o.revokeToken)
	})
	mux.HandleFunc("GET /hosts", func(w http.ResponseWriter, _ *http.Request) { reply(w, o.store.hosts) })
	mux.HandleFunc("DELETE /hosts/{name}", func(w http.ResponseWriter, r *http.Request) {
		o.serveRevoke(w, "host", r.PathValue("name"), o.revokeHost)
	})
	mux.HandleFunc("POST /commands", o.serveSign)
	return mux
}

func (o *Office) serveCreate(w http.ResponseWriter, r *http.Request) {
	var n NewToken
	if !read(w, r, &n) {
		return
	}
	if err := n.check(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	reply(w, func() (*Invitation, error) {
		t, word, err := o.createToken(n.Groups, n.Expires.D(), n.Uses)
		if err != nil {
			return nil, err
		}
		o.log.Info("token made", "token", t.ID, "groups", t.Groups, "expires", t.Expires, "uses", t.Uses)
		return &Invitation{Token: t, Secret: t.ID + "-" + word, Server: o.cfg.Server, Pin: o.cfg.Pin}, nil
	})
}

func (n *NewToken) check() error {
	if len(n.Groups) == 0 {
		return errors.New("token: want a group")
	}
	for _, g := range n.Groups {
		if err := control.CheckName("group", g); err != nil {
			return err
		}
	}
	switch {
	case n.Expires.D() < time.Second || n.Expires.D() > MaxTokenLife:
		return fmt.Errorf("token: expires after %s, want 1s to %s", n.Expires, config.Duration(MaxTokenLife))
	case n.Uses < 0:
		return fmt.Errorf("token: %d uses, want 0 (any number) or more", n.Uses)
	}
	return nil
}

func (o *Office) serveRevoke(w http.ResponseWriter, kind, name string, revoke func(string) error) {
	reply(w, func() (any, error) {
		if err := revoke(name); err != nil {
			return nil, fmt.Errorf("%s %s: %w", kind, name, err)
		}
		o.log.Info(kind+" revoked", kind, name)
		return struct{}{}, nil
	})
}

// serveSign draws the request's ID and signs it: the key stays here.
func (o *Office) serveSign(w http.ResponseWriter, r *http.Request) {
	var c control.Command
	if !read(w, r, &c) {
		return
	}
	c.ID, c.Issued = secret(), o.now().UTC()
	if err := c.Check(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	reply(w, func() (*Signed, error) {
		m, err := control.Encode(control.CommandType, "", &c)
		if err != nil {
			return nil, err
		}
		control.Sign(m, o.deps.CommandKey)
		o.metrics.signed.Inc()
		o.log.Info("remote command signed", "id", c.ID, "target", c.Target(), "argv", c.Argv, "timeout", c.Timeout)
		return &Signed{Command: c, Body: m.Body, Signature: m.Headers[control.SignatureHeader]}, nil
	})
}

// read decodes a request's body, or answers what is wrong with it.
func read(w http.ResponseWriter, r *http.Request, v any) bool {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		http.Error(w, "request: "+err.Error(), http.StatusBadRequest)
		return false
	}
	return true
}

// reply answers with what do returns.
func reply[T any](w http.ResponseWriter, do func() (T, error)) {
	v, err := do()
	switch {
	case errors.Is(err, ErrNotFound):
		http.Error(w, err.Error(), http.StatusNotFound)
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v) // the status is out: only the client can be gone
	}
}
