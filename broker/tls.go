package broker

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
)

// certificates are what the TLS listeners show: files as they were last read, or
// without files what a function gives.
type certificates struct {
	// Static after construction.
	files TLS
	given func(*tls.ClientHelloInfo) (*tls.Certificate, error) // may be nil

	current atomic.Pointer[tls.Config] // nil: there is no TLS listener
}

// TLS names the files of the TLS listeners, in PEM.
type TLS struct {
	// Cert is the file of the server's certificate and the chain behind it. Default:
	// none, the program gives a certificate of its own authority.
	Cert string `yaml:"cert"`
	// Key is the file of the certificate's private key.
	Key string `yaml:"key"`
	// CA is the file of the certificates that sign clients' certificates. A client
	// that shows one may log in as its common name, with the mechanism EXTERNAL.
	// Default: none, clients show no certificate.
	CA string `yaml:"ca"`
	// RequireClientCert refuses clients that show no certificate. Default false.
	RequireClientCert bool `yaml:"require_client_cert"`
}

func (t TLS) validate() error {
	switch {
	case (t.Cert == "") != (t.Key == ""):
		return errors.New("broker: tls.cert and tls.key go together")
	case t.RequireClientCert && t.CA == "":
		return errors.New("broker: tls.require_client_cert needs tls.ca")
	}
	return nil
}

// load reads the files; what was read before stays in use if one is bad.
func (c *certificates) load() error {
	config, err := c.serverSide()
	if err != nil {
		return err
	}
	if c.files.CA != "" {
		text, err := os.ReadFile(c.files.CA)
		if err != nil {
			return fmt.Errorf("read CA certificates: %w", err)
		}
		config.ClientCAs = x509.NewCertPool()
		if !config.ClientCAs.AppendCertsFromPEM(text) {
			return fmt.Errorf("read CA certificates: no certificate in %s", c.files.CA)
		}
		config.ClientAuth = tls.VerifyClientCertIfGiven
		if c.files.RequireClientCert {
			config.ClientAuth = tls.RequireAndVerifyClientCert
		}
	}
	c.current.Store(config)
	return nil
}

// serverSide is what the server shows of itself.
func (c *certificates) serverSide() (*tls.Config, error) {
	switch {
	case c.files.Cert == "" && c.given == nil:
		return nil, errors.New("amqps needs a certificate: tls.cert and tls.key")
	case c.files.Cert == "":
		return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.given}, nil
	}
	pair, err := tls.LoadX509KeyPair(c.files.Cert, c.files.Key)
	if err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}, nil
}

// listenTLS opens the TLS listeners. Each handshake uses the files as they were
// last read.
func listenTLS(cfg Config, certs *certificates) ([]net.Listener, error) {
	if len(cfg.AMQPS) == 0 {
		return nil, nil
	}
	if err := certs.load(); err != nil {
		return nil, err
	}
	open, err := listen("amqps", cfg.AMQPS)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return certs.current.Load(), nil },
	}
	for i, l := range open {
		open[i] = tls.NewListener(l, config)
	}
	return open, nil
}

// Reload reads the files of the TLS listeners again. Open connections keep what
// they have.
func (b *Broker) Reload() error {
	if len(b.config.AMQPS) == 0 {
		return nil
	}
	if err := b.certificates.load(); err != nil {
		return fmt.Errorf("reload the broker's certificates: %w", err)
	}
	b.log.Info("certificates reloaded", "cert", b.config.TLS.Cert)
	return nil
}

// certifiedName returns the common name of the certificate that the client has
// shown, "" if it has shown none. It is verified: the handshake has seen to it.
func (c *connection) certifiedName() string {
	conn, ok := c.conn.(*tls.Conn)
	if !ok {
		return ""
	}
	chain := conn.ConnectionState().PeerCertificates
	if len(chain) == 0 {
		return ""
	}
	return chain[0].Subject.CommonName
}
