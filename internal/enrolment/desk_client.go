package enrolment

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"thump/internal/control"
)

// SocketIn is the socket of the server whose data folder this is.
func SocketIn(dataDir string) string { return filepath.Join(dataDir, "thump.sock") }

// Desk is where the operator asks a running server.
type Desk struct {
	socket string
	http   *http.Client
}

// deskTimeout bounds one request.
const deskTimeout = 30 * time.Second

// NewDesk is the desk of the server that listens on a socket.
func NewDesk(socket string) *Desk {
	var d net.Dialer
	return &Desk{socket: socket, http: &http.Client{Timeout: deskTimeout, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, "unix", socket) },
	}}}
}

// CreateToken makes a token.
func (d *Desk) CreateToken(ctx context.Context, n *NewToken) (*Invitation, error) {
	var i Invitation
	return &i, d.ask(ctx, http.MethodPost, "/tokens", n, &i)
}

// Tokens are all that are remembered.
func (d *Desk) Tokens(ctx context.Context) (list []Token, err error) {
	return list, d.ask(ctx, http.MethodGet, "/tokens", nil, &list)
}

// RevokeToken has a token let nobody in any more.
func (d *Desk) RevokeToken(ctx context.Context, id string) error {
	return d.ask(ctx, http.MethodDelete, "/tokens/"+url.PathEscape(id), nil, nil)
}

// Hosts are all that have joined.
func (d *Desk) Hosts(ctx context.Context) (list []Host, err error) {
	return list, d.ask(ctx, http.MethodGet, "/hosts", nil, &list)
}

// RevokeHost shuts a host out, at once.
func (d *Desk) RevokeHost(ctx context.Context, name string) error {
	return d.ask(ctx, http.MethodDelete, "/hosts/"+url.PathEscape(name), nil, nil)
}

// Sign has the server sign a request.
func (d *Desk) Sign(ctx context.Context, c *control.Command) (*Signed, error) {
	var s Signed
	return &s, d.ask(ctx, http.MethodPost, "/commands", c, &s)
}

func (d *Desk) ask(ctx context.Context, method, path string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode request: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://thump"+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	res, err := d.http.Do(req)
	if err != nil {
		if e := (*net.OpError)(nil); errors.As(err, &e) && e.Op == "dial" {
			return fmt.Errorf("no server answers at %s (--data-dir is that of a running `thump up --amqps ADDRESS` or `thump broker --amqps ADDRESS`, and this needs its user or root): %w", d.socket, e.Err)
		}
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		reason, err := io.ReadAll(io.LimitReader(res.Body, 4096))
		return errors.Join(errors.New(strings.TrimSpace(string(reason))), err)
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(res.Body).Decode(into)
}
