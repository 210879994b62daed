package authority

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"thump/internal/vfs"
)

const (
	caFile      = "ca.pem"
	caOnlyFile  = "ca.crt"
	serverFile  = "server.pem"
	commandFile = "command.pem"
)

// Config says what the authority vouches for.
type Config struct {
	// Names are names and addresses by which others reach this server, besides
	// its host name, localhost and the addresses of its interfaces. Default none.
	Names []string `yaml:"names" flag:"tls-names" usage:"names and addresses by which others reach this server, for its certificate"`
}

// Authority makes certificates. Its methods may be called from any goroutine.
type Authority struct {
	// Static after construction.
	dir     string
	names   []string
	log     *slog.Logger
	now     func() time.Time
	ca      *pair
	command ed25519.PrivateKey

	mu     sync.Mutex
	server *pair // guarded by mu
}

// Open reads what is in the folder, and makes what is missing.
func Open(ctx context.Context, dir string, cfg Config, log *slog.Logger) (*Authority, error) {
	return open(ctx, dir, cfg, log, time.Now)
}

func open(ctx context.Context, dir string, cfg Config, log *slog.Logger, now func() time.Time) (*Authority, error) {
	a := &Authority{dir: dir, names: cfg.Names, log: log, now: now}
	unlock, err := lock(ctx, dir)
	if err != nil {
		return nil, err
	}
	err = errors.Join(a.load(), unlock.Close())
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	return a, nil
}

// load runs under the folder's lock: two processes that start at once agree on
// one CA.
func (a *Authority) load() (err error) {
	if a.ca, err = a.readOrMake(caFile, a.makeCA); err != nil {
		return err
	}
	if now := a.now(); now.After(a.ca.cert.NotAfter) {
		return fmt.Errorf("%s ended %s: remove the folder to begin anew, and have every agent join again", a.path(caFile), a.ca.cert.NotAfter)
	}
	if err := writePublic(a.path(caOnlyFile), a.ca.certPEM()); err != nil {
		return err
	}
	if a.command, err = a.readOrMakeCommandKey(); err != nil {
		return err
	}
	a.server, err = a.readOrMake(serverFile, a.makeServer)
	if err != nil {
		return err
	}
	return a.renewLocked()
}

func (a *Authority) path(name string) string { return filepath.Join(a.dir, name) }

// readOrMake returns the pair in a file, which is made first if it is not there.
func (a *Authority) readOrMake(name string, issue func() (*pair, error)) (*pair, error) {
	p, err := readPair(a.path(name))
	if err != nil || p != nil {
		return p, err
	}
	if p, err = issue(); err != nil {
		return nil, err
	}
	return p, a.keep(name, p)
}

func (a *Authority) keep(name string, p *pair) error {
	text, err := p.encode()
	if err != nil {
		return err
	}
	return vfs.WriteFile(vfs.OS{}, a.path(name), text)
}

// Pin is by what others know this CA: sha256: and the hash of its public key.
func (a *Authority) Pin() string { return Pin(a.ca.cert) }

// CAFile is the file of the CA's certificate, for whoever is to trust it.
func (a *Authority) CAFile() string { return a.path(caOnlyFile) }

// CA is the CA's certificate.
func (a *Authority) CA() *x509.Certificate { return a.ca.cert }

// CommandKey signs what agents are told to run.
func (a *Authority) CommandKey() ed25519.PrivateKey { return a.command }

// TLS is the configuration of a listener that shows the server's certificate.
func (a *Authority) TLS() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: a.Certificate}
}

// Certificate is the server's certificate, for tls.Config.GetCertificate. One
// that comes near its end is replaced here, so that no server needs a restart.
func (a *Authority) Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.renewLocked(); err != nil {
		return nil, err
	}
	return a.server.tls(a.ca), nil
}

// Reload replaces the server's certificate if the host has other names or
// addresses now.
func (a *Authority) Reload() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.covered() {
		return nil
	}
	return a.replaceLocked()
}

// renewLocked makes a new certificate for the server when a third of the old
// one's life is left, or when what there is does not fit any more.
func (a *Authority) renewLocked() error {
	left := a.server.cert.NotAfter.Sub(a.now())
	if left > serverLife/3 && a.server.cert.CheckSignatureFrom(a.ca.cert) == nil {
		return nil
	}
	return a.replaceLocked()
}

func (a *Authority) replaceLocked() error {
	p, err := a.makeServer()
	if err != nil {
		return err
	}
	if err := a.keep(serverFile, p); err != nil {
		return fmt.Errorf("keep the server's certificate: %w", err)
	}
	a.server = p
	a.log.Info("certificate of this server made", "names", p.cert.DNSNames, "addresses", p.cert.IPAddresses, "until", p.cert.NotAfter)
	return nil
}
