// Package trouble says why something cannot be reached, and what to do about it,
// to somebody who sees a panel and no log.
package trouble

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
)

// Explain says what err means for the way to a server; hint is what to ask when
// nobody listens there.
func Explain(err error, hint string) string {
	var name *net.DNSError
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var plain tls.RecordHeaderError
	switch {
	case errors.As(err, &name):
		return fmt.Sprintf("no such host %q: check the name in the data source's settings; Grafana's server has to know it, not your browser", name.Name)
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused: " + hint
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return "no route to the host: " + hint
	case errors.As(err, &unknown):
		return "its certificate is signed by an unknown authority: give the authority's certificate in the data source's settings (TLS, CA certificate)"
	case errors.As(err, &host), errors.As(err, &invalid):
		return fmt.Sprintf("its certificate is not valid: %s", last(err))
	case errors.As(err, &plain):
		return "it does not speak TLS: use the scheme without s, or the TLS port"
	case login(err):
		return "it refuses the login: check user, password and virtual host in the data source's settings"
	}
	return err.Error()
}

// login tells whether a broker refuses the user: AMQP 0-9-1 access-refused (403),
// or not-allowed (530) for its virtual host.
func login(err error) bool {
	text := err.Error()
	return strings.Contains(text, "username or password not allowed") || strings.Contains(text, "(530)") ||
		strings.Contains(text, "(403)") && strings.Contains(text, "connect")
}

// last is the innermost error.
func last(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
