package authority

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"thump/internal/vfs"
)

// Types of PEM blocks.
const (
	keyBlock  = "PRIVATE KEY"
	certBlock = "CERTIFICATE"
)

// pinPrefix says how a pin was made.
const pinPrefix = "sha256:"

// Pin is by what a CA is known that nobody vouches for: the hash of its public
// key, RFC 7469 §2.4, in hexadecimal.
func Pin(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return pinPrefix + hex.EncodeToString(sum[:])
}

// pair is a certificate and its key.
type pair struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func (p *pair) certPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: certBlock, Bytes: p.cert.Raw})
}

func (p *pair) encode() ([]byte, error) {
	text, err := encodeKey(p.key)
	return append(text, p.certPEM()...), err
}

func (p *pair) tls(ca *pair) *tls.Certificate {
	return &tls.Certificate{Certificate: [][]byte{p.cert.Raw, ca.cert.Raw}, PrivateKey: p.key, Leaf: p.cert}
}

func encodeKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: keyBlock, Bytes: der}), nil
}

// readPair returns nil if there is no such file.
func readPair(path string) (*pair, error) {
	key, rest, err := readKey(path)
	if err != nil || key == nil {
		return nil, err
	}
	block, _ := pem.Decode(rest)
	if block == nil || block.Type != certBlock {
		return nil, fmt.Errorf("%s: want a certificate behind the key; remove the file to have another made", path)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool }); !ok || !public.Equal(cert.PublicKey) {
		return nil, fmt.Errorf("%s: key and certificate do not belong together", path)
	}
	return &pair{cert: cert, key: key}, nil
}

// readKey returns the key that a file begins with, and what follows; nil if there
// is no such file.
func readKey(path string) (key crypto.Signer, rest []byte, err error) {
	text, err := vfs.ReadFile(vfs.OS{}, path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	block, rest := pem.Decode(text)
	if block == nil || block.Type != keyBlock {
		return nil, nil, fmt.Errorf("%s: want a private key in PEM; remove the file to have another made", path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	key, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, nil, fmt.Errorf("%s: a key that cannot sign", path)
	}
	return key, rest, nil
}

func (a *Authority) readOrMakeCommandKey() (ed25519.PrivateKey, error) {
	path := a.path(commandFile)
	found, _, err := readKey(path)
	if err != nil {
		return nil, err
	}
	if found != nil {
		key, ok := found.(ed25519.PrivateKey)
		if !ok {
			return nil, fmt.Errorf("%s: want an ed25519 key", path)
		}
		return key, nil
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	text, err := encodeKey(key)
	if err != nil {
		return nil, err
	}
	return key, vfs.WriteFile(vfs.OS{}, path, text)
}

// writePublic writes a file that everybody may read who can enter the folder.
func writePublic(path string, text []byte) error {
	if err := vfs.WriteFile(vfs.OS{}, path, text); err != nil {
		return err
	}
	return os.Chmod(path, 0o644) //nolint:gosec // a certificate is no secret
}

const (
	lockPatience = 5 * time.Second
	lockRetry    = 20 * time.Millisecond
)

// lock takes the folder while it is read and filled; another process that does
// the same is waited for.
func lock(ctx context.Context, dir string) (io.Closer, error) {
	ctx, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	if err := (vfs.OS{}).MkdirAll(dir); err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	for {
		l, err := vfs.OS{}.Lock(dir)
		var held *vfs.LockedError
		if !errors.As(err, &held) {
			return l, err
		}
		select {
		case <-time.After(lockRetry):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// ParseCertificates reads certificates in PEM, at least one, in their order.
func ParseCertificates(text []byte) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != certBlock {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		certs = append(certs, c)
	}
	if len(certs) == 0 {
		return nil, errors.New("no certificate in it")
	}
	return certs, nil
}
