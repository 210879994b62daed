package check

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"time"
)

// TLS looks at the certificates of a server. A chain that does not verify, or one
// that has expired, is critical. Protocols that begin in clear (STARTTLS) are not
// spoken.
type TLS struct {
	// Address is HOST:PORT.
	Address string `yaml:"address"`
	// ServerName is what the certificate must be for; default: the address's host.
	ServerName string `yaml:"server_name"`
	// CAFile holds the certificate authorities to trust instead of the system's.
	CAFile string `yaml:"ca_file"`
	// Insecure looks at the dates only.
	Insecure bool `yaml:"insecure"`

	Latency `yaml:",inline"`
	Expiry  `yaml:",inline"`
}

func (c *TLS) validate(p *problems) {
	validateAddress(p, "tls", c.Address)
	c.Latency.validate(p, "tls")
	c.Expiry.validate(p, "tls")
}

func (c *TLS) open(_ *Spec, _ Env) (runner, error) {
	roots, err := loadRoots(c.CAFile)
	if err != nil {
		return nil, err
	}
	name := c.ServerName
	if name == "" {
		name, _, _ = net.SplitHostPort(c.Address) // checked by validate
	}
	return &handshake{spec: c, name: name, roots: roots}, nil
}

// handshake runs a TLS. It is static after construction.
type handshake struct {
	spec  *TLS
	name  string
	roots *x509.CertPool
}

// run implements runner. The chain is verified after the handshake rather than
// in it, so that one that is not good is still measured.
func (h *handshake) run(ctx context.Context, o *output) (verdict, error) {
	start := time.Now()
	d := tls.Dialer{Config: &tls.Config{ServerName: h.name, InsecureSkipVerify: true}}
	conn, err := d.DialContext(ctx, "tcp", h.spec.Address)
	if err != nil {
		return verdict{critical, err.Error()}, nil
	}
	took := time.Since(start)
	state := conn.(*tls.Conn).ConnectionState()
	_ = conn.Close() // nothing was sent that could be lost
	v := verdict{ok, "certificate valid until " + chainEnd(&state).UTC().Format(time.DateOnly)}
	if !h.spec.Insecure {
		if err := h.verify(&state); err != nil {
			v.worse(critical, "%v", err)
		}
	}
	addCertificate(o, &state)
	h.spec.Expiry.judge(&v, chainEnd(&state), time.Now())
	h.spec.Latency.judge(&v, "handshake", took)
	return v, nil
}

func (h *handshake) verify(s *tls.ConnectionState) error {
	between := x509.NewCertPool()
	for _, c := range s.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{DNSName: h.name, Roots: h.roots, Intermediates: between})
	return err
}

// chainEnd is when the first of the certificates that the server sent expires.
func chainEnd(s *tls.ConnectionState) time.Time {
	var end time.Time
	for i, c := range s.PeerCertificates {
		if i == 0 || c.NotAfter.Before(end) {
			end = c.NotAfter
		}
	}
	return end
}

func addCertificate(o *output, s *tls.ConnectionState) {
	end := chainEnd(s)
	o.put("thump_tls_not_after_timestamp_seconds", "When the first certificate of the chain expires, Unix time.", float64(end.Unix()))
	o.put("thump_tls_expiry_days", "Days until the first certificate of the chain expires.", time.Until(end).Hours()/24)
}
