package join

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// ErrTrust is that the server is not, or may not be, the one that is meant.
var ErrTrust = errors.New("server not trusted")

const (
	pinPrefix = "sha256:"
	pinDigits = 2 * sha256.Size
)

// trust checks a server by the pin of a certificate in its chain, from which on the
// certificate is verified as usual. It is for one connection.
type trust struct {
	host string // of the server's URL
	pin  string // "": whoever the system trusts
	ca   []byte // the pinned certificate in PEM, once the server has shown it
}

func newTrust(host, pin string) (*trust, error) {
	if pin == "" {
		return &trust{host: host}, nil
	}
	digits, ok := strings.CutPrefix(strings.ToLower(pin), pinPrefix)
	if _, err := hex.DecodeString(digits); !ok || err != nil || len(digits) != pinDigits {
		return nil, fmt.Errorf("--ca-pin %q: want sha256: and %d hexadecimal digits, as `thump token create` prints it", pin, pinDigits)
	}
	return &trust{host: host, pin: pinPrefix + digits}, nil
}

func (t *trust) config() *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.host}
	if t.pin != "" {
		c.InsecureSkipVerify = true // since VerifyConnection does it, by the pin
		c.VerifyConnection = t.verify
	}
	return c
}

func (t *trust) verify(s tls.ConnectionState) error {
	var shown []string
	var root *x509.Certificate
	others := x509.NewCertPool()
	for _, c := range s.PeerCertificates {
		p := pin(c)
		shown = append(shown, p)
		others.AddCert(c)
		if subtle.ConstantTimeCompare([]byte(p), []byte(t.pin)) == 1 {
			root = c
		}
	}
	if root == nil {
		return fmt.Errorf("%w: no certificate that it shows has the pin %s; theirs are %s", ErrTrust, t.pin, strings.Join(shown, ", "))
	}
	roots := x509.NewCertPool()
	roots.AddCert(root)
	_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{DNSName: t.host, Roots: roots, Intermediates: others})
	if name := (x509.HostnameError{}); errors.As(err, &name) {
		return fmt.Errorf("%w: %w (start it with --tls-names %s)", ErrTrust, err, t.host)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTrust, err)
	}
	t.ca = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Raw})
	return nil
}

// pin is the hash of a certificate's public key, as package authority makes it.
func pin(c *x509.Certificate) string {
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return pinPrefix + hex.EncodeToString(sum[:])
}
