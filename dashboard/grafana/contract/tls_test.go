package contract

import (
	"crypto/x509"
	"encoding/pem"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// TestTLS asks history behind a proxy that speaks TLS, and follows a panel over
// amqps, with certificates of two authorities: both are told, or one, or none.
func TestTLS(t *testing.T) {
	secure := ports(t, 1)[0]
	p := up(t, "--amqps", secure)
	to, err := url.Parse(p.url())
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewTLSServer(httputil.NewSingleHostReverseProxy(to))
	t.Cleanup(proxy.Close)
	own, err := os.ReadFile(filepath.Join(p.data, "authority", "ca.crt"))
	if err != nil {
		t.Fatal("the broker's authority: ", err)
	}
	g := start(t)
	source := func(authorities ...string) *configured {
		return g.configure(settings{
			url: proxy.URL, amqp: "amqps://" + secure + "/", user: "guest", password: "guest",
			tls: map[string]any{"tlsAuthWithCACert": len(authorities) > 0}, ca: strings.Join(authorities, "\n"),
		})
	}
	both := source(certificate(proxy.Certificate()), string(own))
	if ok, said := both.health(); !ok {
		t.Errorf("with both authorities: %s", said)
	}
	panel := both.follow(`{"expr":"orders{instance=\"till7\"}","live":true}`)
	panel.until("the stream begins", func(f *data.Frame) bool { return len(f.Meta.Notices) == 0 })
	p.orders(5)
	panel.until("the point", shows(5))
	for name, c := range map[string]*configured{"no authority": source(), "the broker's alone": source(string(own)), "the proxy's alone": source(certificate(proxy.Certificate()))} {
		if ok, said := c.health(); ok || !strings.Contains(said, "certificate") {
			t.Errorf("%s: health is %v, %q", name, ok, said)
		}
	}
}

func certificate(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}
