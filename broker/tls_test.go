package broker_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"thump/broker"
	"thump/broker/definitions"
)

// authority signs certificates for a test.
type authority struct {
	dir    string
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
	serial int64
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	a.cert, a.key = a.issue(t, "ca")
	return a
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// issue writes NAME.crt and NAME.key. The first certificate signs itself.
func (a *authority) issue(t *testing.T, name string) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	a.serial++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(a.serial), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, BasicConstraintsValid: true, IsCA: a.cert == nil,
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	must(t, err)
	secret, err := x509.MarshalECPrivateKey(key)
	must(t, err)
	must(t, os.WriteFile(a.file(name+".crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	must(t, os.WriteFile(a.file(name+".key"), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret}), 0o600))
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return cert, key
}

// client returns the configuration of a client that trusts the authority and, if
// named, shows a certificate.
func (a *authority) client(t *testing.T, name string) *tls.Config {
	t.Helper()
	config := &tls.Config{RootCAs: x509.NewCertPool()}
	config.RootCAs.AddCert(a.cert)
	if name != "" {
		pair, err := tls.LoadX509KeyPair(a.file(name+".crt"), a.file(name+".key"))
		must(t, err)
		config.Certificates = []tls.Certificate{pair}
	}
	return config
}

func (a *authority) start(t *testing.T) (s *server, url string) {
	t.Helper()
	s = start(t, func(c *broker.Config) {
		c.AMQPS = []string{"127.0.0.1:0"}
		c.TLS = broker.TLS{Cert: a.file("server.crt"), Key: a.file("server.key"), CA: a.file("ca.crt")}
	})
	return s, "amqps://guest:guest@" + s.Addrs()[1].String() + "/"
}

func TestTLS(t *testing.T) {
	a := newAuthority(t)
	a.issue(t, "server")
	a.issue(t, "carol")
	s, url := a.start(t)
	conn, err := amqp.DialTLS(url, a.client(t, ""))
	must(t, err)
	ch := open(t, conn)
	queue(t, ch, "q")
	publish(t, ch, "", "q", "over TLS")
	if got := bodies(t, ch, "q"); len(got) != 1 || got[0] != "over TLS" {
		t.Errorf("got %q", got)
	}
	must(t, conn.Close())

	external := func(config *tls.Config) error {
		conn, err := amqp.DialConfig(url, amqp.Config{TLSClientConfig: config, SASL: []amqp.Authentication{&amqp.ExternalAuth{}}})
		if err == nil {
			err = conn.Close()
		}
		return err
	}
	if err := external(a.client(t, "carol")); err == nil {
		t.Error("a certificate whose name is no user's opens the door")
	}
	must(t, s.AddUser("carol", "unused"))
	must(t, s.SetPermission("/", definitions.Permission{User: "carol", Configure: ".*", Write: ".*", Read: ".*"}))
	must(t, external(a.client(t, "carol")))
	if err := external(a.client(t, "")); err == nil {
		t.Error("EXTERNAL without a certificate opens the door")
	}
	stranger := newAuthority(t)
	stranger.issue(t, "carol")
	config := a.client(t, "")
	config.Certificates = stranger.client(t, "carol").Certificates
	if err := external(config); err == nil {
		t.Error("a certificate of another authority opens the door")
	}
}

func TestCertificatesAreReloaded(t *testing.T) {
	a := newAuthority(t)
	before, _ := a.issue(t, "server")
	s, _ := a.start(t)
	shown := func() int64 {
		conn, err := tls.Dial("tcp", s.Addrs()[1].String(), a.client(t, ""))
		must(t, err)
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if got := shown(); got != before.SerialNumber.Int64() {
		t.Errorf("shows %d", got)
	}
	after, _ := a.issue(t, "server")
	must(t, s.Reload())
	if got := shown(); got != after.SerialNumber.Int64() {
		t.Errorf("shows %d after the reload", got)
	}
	must(t, os.WriteFile(a.file("server.crt"), []byte("broken"), 0o600))
	if err := s.Reload(); err == nil {
		t.Error("a broken certificate is taken")
	}
	if got := shown(); got != after.SerialNumber.Int64() {
		t.Errorf("shows %d after a reload that failed", got)
	}
}

func TestFailedLoginsAreSlowedDown(t *testing.T) {
	s := start(t)
	began := time.Now()
	for range 4 {
		_, err := amqp.Dial("amqp://guest:wrong@" + s.Addr().String() + "/")
		if err == nil {
			t.Fatal("a wrong password opens the door")
		}
	}
	if took := time.Since(began); took < (25+50+100+200)*time.Millisecond {
		t.Errorf("four failures took %s", took)
	}
	began = time.Now()
	s.dial(t)
	if took := time.Since(began); took > time.Second {
		t.Errorf("the right password took %s", took)
	}
}
