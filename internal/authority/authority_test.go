package authority

import (
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

var silent = slog.New(slog.DiscardHandler)

func openAt(t *testing.T, dir string, now time.Time, names ...string) *Authority {
	t.Helper()
	a, err := open(t.Context(), dir, Config{Names: names}, silent, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// greet does a TLS handshake with a server of the authority's.
func greet(t *testing.T, a *Authority, name string, at time.Time) error {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", a.TLS())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var serving sync.WaitGroup
	defer serving.Wait()
	serving.Go(func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_ = c.(*tls.Conn).HandshakeContext(t.Context()) // the client tells what is wrong
	})
	roots := x509.NewCertPool()
	roots.AddCert(a.CA())
	d := tls.Dialer{
		NetDialer: &net.Dialer{Timeout: 10 * time.Second},
		Config:    &tls.Config{RootCAs: roots, ServerName: name, Time: func() time.Time { return at }, MinVersion: tls.VersionTLS12},
	}
	c, err := d.DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		return err
	}
	return c.Close()
}

func TestCertificate(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	a := openAt(t, t.TempDir(), now, "thump.example.org", "192.0.2.7")
	for _, name := range []string{"thump.example.org", "192.0.2.7", "localhost", "127.0.0.1", "::1", host} {
		if err := greet(t, a, name, now); err != nil {
			t.Errorf("as %s: %v", name, err)
		}
	}
	if err := greet(t, a, "other.example.org", now); err == nil {
		t.Error("vouched for a name that the server does not have")
	}
}

func TestFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "authority")
	first := openAt(t, dir, time.Now())
	for name, want := range map[string]fs.FileMode{caFile: 0o600, serverFile: 0o600, commandFile: 0o600, caOnlyFile: 0o644} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want mode %v", name, info, err, want)
		}
	}
	again := openAt(t, dir, time.Now())
	if first.Pin() != again.Pin() || !strings.HasPrefix(first.Pin(), "sha256:") || len(first.Pin()) != len("sha256:")+64 {
		t.Errorf("pin %s, then %s", first.Pin(), again.Pin())
	}
	if !first.server.cert.Equal(again.server.cert) {
		t.Error("another certificate after a restart")
	}
	if !first.CommandKey().Public().(ed25519.PublicKey).Equal(again.CommandKey().Public()) {
		t.Error("another command key after a restart")
	}
}

// TestRenewal: a server that runs on shows a certificate that is valid, made by
// the same CA.
func TestRenewal(t *testing.T) {
	now := time.Now()
	dir := t.TempDir()
	a := openAt(t, dir, now)
	pin, before := a.Pin(), a.server.cert
	for day := range 200 {
		at := now.Add(time.Duration(day) * 24 * time.Hour)
		a.now = func() time.Time { return at }
		if err := greet(t, a, "localhost", at); err != nil {
			t.Fatalf("after %d days: %v", day, err)
		}
	}
	if a.server.cert.Equal(before) || a.Pin() != pin {
		t.Error("not renewed, or by another CA")
	}
	if kept := openAt(t, dir, a.now()); !kept.server.cert.Equal(a.server.cert) {
		t.Error("the renewed certificate was not kept")
	}
}

func TestReloadTakesNewNames(t *testing.T) {
	now := time.Now()
	a := openAt(t, t.TempDir(), now)
	before := a.server.cert
	if err := a.Reload(); err != nil || !a.server.cert.Equal(before) {
		t.Errorf("reload without a reason: %v", err)
	}
	a.names = []string{"new.example.org"}
	if err := a.Reload(); err != nil {
		t.Fatal(err)
	}
	if err := greet(t, a, "new.example.org", now); err != nil {
		t.Error(err)
	}
}

// TestOpenedTogether: processes that start at once have one CA.
func TestOpenedTogether(t *testing.T) {
	dir := t.TempDir()
	pins := make(chan string, 8)
	var all sync.WaitGroup
	for range cap(pins) {
		all.Go(func() {
			a, err := Open(t.Context(), dir, Config{}, silent)
			if err != nil {
				t.Error(err)
				pins <- ""
				return
			}
			pins <- a.Pin()
		})
	}
	all.Wait()
	close(pins)
	first := <-pins
	for pin := range pins {
		if pin != first {
			t.Errorf("pins %s and %s", first, pin)
		}
	}
}

func TestDamagedFiles(t *testing.T) {
	for name, text := range map[string]string{
		caFile:      "nonsense",
		serverFile:  "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
		commandFile: "",
	} {
		dir := t.TempDir()
		openAt(t, dir, time.Now())
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(t.Context(), dir, Config{}, silent)
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s damaged: error %v, want one that names it", name, err)
		}
	}
	dir, other := t.TempDir(), t.TempDir()
	openAt(t, dir, time.Now())
	openAt(t, other, time.Now())
	moved, err := os.ReadFile(filepath.Join(other, serverFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, serverFile), moved, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := greet(t, openAt(t, dir, time.Now()), "localhost", time.Now()); err != nil {
		t.Errorf("a certificate of another CA stayed in use: %v", err)
	}
}
