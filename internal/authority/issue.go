package authority

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"os"
	"slices"
	"strings"
	"time"
)

const (
	caLife     = 20 * 365 * 24 * time.Hour
	serverLife = 90 * 24 * time.Hour
	// early is how far before its making a certificate begins: clocks differ.
	early = time.Hour
)

func (a *Authority) makeCA() (*pair, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	a.log.Info("certificate authority made", "file", a.path(caFile))
	return issue(&x509.Certificate{
		Subject:   pkix.Name{CommonName: "thump on " + host, Organization: []string{"thump"}},
		NotBefore: a.now().Add(-early), NotAfter: a.now().Add(caLife),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, BasicConstraintsValid: true,
		IsCA: true, MaxPathLenZero: true,
	}, nil)
}

func (a *Authority) makeServer() (*pair, error) {
	names, addresses := a.identities()
	return issue(&x509.Certificate{
		Subject:   pkix.Name{CommonName: names[0], Organization: []string{"thump"}},
		NotBefore: a.now().Add(-early), NotAfter: a.now().Add(serverLife),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    names, IPAddresses: addresses,
	}, a.ca)
}

// issue makes a key and a certificate for it, by parent or, if that is nil, by itself.
func issue(template *x509.Certificate, parent *pair) (*pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)); err != nil {
		return nil, fmt.Errorf("draw a serial number: %w", err)
	}
	signer := &pair{cert: template, key: key}
	if parent != nil {
		signer = parent
	}
	der, err := x509.CreateCertificate(rand.Reader, template, signer.cert, key.Public(), signer.key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read the certificate made: %w", err)
	}
	return &pair{cert: cert, key: key}, nil
}

// identities are the names and addresses by which this server may be reached.
func (a *Authority) identities() (names []string, addresses []net.IP) {
	for _, n := range append(slices.Clone(a.names), hostNames()...) {
		if ip := net.ParseIP(n); ip != nil {
			addresses = append(addresses, ip)
		} else if !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return names, append(addresses, interfaceAddresses()...)
}

// hostNames are the host's name, with and without its domain, and localhost.
func hostNames() []string {
	names := []string{}
	if host, err := os.Hostname(); err == nil && validName(host) {
		names = append(names, host)
		if short, _, dotted := strings.Cut(host, "."); dotted {
			names = append(names, short)
		}
	}
	return append(names, "localhost")
}

// validName tells whether a certificate may hold the name.
func validName(host string) bool {
	return host != "" && !strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r > '~' })
}

// interfaceAddresses are those of the host's interfaces that others may reach,
// and loopback.
func interfaceAddresses() []net.IP {
	all := []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	found, err := net.InterfaceAddrs()
	if err != nil { // names are left, and a.names
		return all
	}
	for _, f := range found {
		if n, ok := f.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
			all = append(all, n.IP)
		}
	}
	return all
}

// covered tells whether the server's certificate holds what the host is called
// now; the caller holds mu.
func (a *Authority) covered() bool {
	names, addresses := a.identities()
	for _, n := range names {
		if !slices.Contains(a.server.cert.DNSNames, n) {
			return false
		}
	}
	return !slices.ContainsFunc(addresses, func(ip net.IP) bool {
		return !slices.ContainsFunc(a.server.cert.IPAddresses, ip.Equal)
	})
}
