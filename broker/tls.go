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

// certificates are the files of the TLS listeners as they were last read.
type certificates struct {
	files   TLS                        // static
	current atomic.Pointer[tls.Config] // nil: there is no TLS listener
}

// TLS names the files of the TLS listeners, in PEM.
type TLS struct {
	// Cert is the file of the server's certificate and the chain behind it.
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

func (t TLS) validate(listens bool) error {
	switch {
	case listens && (t.Cert == "" || t.Key == ""):
		return errors.New("broker: amqps needs tls.cert and tls.key")
	case t.RequireClientCert && t.CA == "":
		return errors.New("broker: tls.require_client_cert needs tls.ca")
	}
	return nil
}

// load reads the files; what was read before stays in use if one is bad.
func (c *certificates) load() error {
	pair, err := tls.LoadX509KeyPair(c.files.Cert, c.files.Key)
	if err != nil {
		return fmt.Errorf("read certificate: %w", err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
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
