package check

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
)

// maxRedirects is how many redirections a request follows.
const maxRedirects = 5

// userAgent is what requests call themselves.
const userAgent = "thump-agent"

// newClient returns a client that opens a connection for each request: what is
// checked is whether a stranger would be let in now. A proxy of the agent's
// environment does not count.
func newClient(caFile string, insecure, follow bool) (*http.Client, error) {
	roots, err := loadRoots(caFile)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: &http.Transport{
		DialContext:            (&net.Dialer{}).DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: roots, InsecureSkipVerify: insecure, MinVersion: tls.VersionTLS12},
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: 64 << 10,
	}}
	client.CheckRedirect = func(_ *http.Request, via []*http.Request) error {
		if !follow {
			return http.ErrUseLastResponse
		}
		if len(via) > maxRedirects {
			return fmt.Errorf("more than %d redirections", maxRedirects)
		}
		return nil
	}
	return client, nil
}

// loadRoots reads certificate authorities; nil are the system's.
func loadRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read certificate authorities: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read certificate authorities: no certificate in %s", file)
	}
	return pool, nil
}

func newRequest(ctx context.Context, method, target, body string, headers map[string]string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("User-Agent", userAgent)
	for name, value := range headers {
		if http.CanonicalHeaderKey(name) == "Host" {
			req.Host = value
			continue
		}
		req.Header.Set(name, value)
	}
	return req, nil
}

func validateURL(p *problems, kind, text string) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		p.add("%s: url: %w", kind, err)
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		p.add("%s: url: %q, want http://HOST/… or https://HOST/…", kind, text)
	}
}

func validateAddress(p *problems, kind, text string) {
	host, port, err := net.SplitHostPort(text)
	if err != nil || host == "" || port == "" {
		p.add("%s: address: %q, want HOST:PORT", kind, text)
	}
}
