package streams

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Schemes of the URLs that Open takes. With a second s the link is TLS.
//
//	redis://user:password@host:6379/0
//	redis-sentinel://sentineluser:password@host:26379/0?master_name=NAME&username=U&password=P&addr=host2:26379
//	redis-cluster://user:password@host:6379?addr=host2:6379
var Schemes = []string{"redis", "rediss", "redis-sentinel", "rediss-sentinel", "redis-cluster", "rediss-cluster"}

// How long a dead server goes unnoticed is bounded by these.
const (
	dialTimeout = 5 * time.Second
	ioTimeout   = 3 * time.Second
)

// connect returns a client for a URL; it dials when it is first used.
func connect(raw, name string, base *tls.Config) (redis.UniversalClient, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("not a URL")
	}
	trust, err := takeTLS(u)
	trust.base = base
	if err != nil {
		return nil, err
	}
	scheme, kind, _ := strings.Cut(u.Scheme, "-")
	u.Scheme = scheme
	quiet := &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	switch kind {
	case "cluster":
		o, err := redis.ParseClusterURL(u.String())
		if err != nil {
			return nil, err
		}
		o.ClientName, o.Protocol, o.ContextTimeoutEnabled, o.MaintNotificationsConfig = name, 2, true, quiet
		o.DialTimeout, o.ReadTimeout, o.WriteTimeout = dialTimeout, ioTimeout, ioTimeout
		o.TLSConfig = trust.over(o.TLSConfig)
		return redis.NewClusterClient(o), nil
	case "sentinel":
		o, err := redis.ParseFailoverURL(u.String())
		if err != nil {
			return nil, err
		}
		if o.MasterName == "" {
			return nil, errors.New("a sentinel URL needs ?master_name=NAME")
		}
		o.ClientName, o.Protocol, o.ContextTimeoutEnabled, o.MaxRetries = name, 2, true, -1
		o.DialTimeout, o.ReadTimeout, o.WriteTimeout = dialTimeout, ioTimeout, ioTimeout
		o.TLSConfig = trust.over(o.TLSConfig)
		return redis.NewFailoverClient(o), nil
	}
	o, err := redis.ParseURL(u.String())
	if err != nil {
		return nil, err
	}
	o.ClientName, o.Protocol, o.ContextTimeoutEnabled, o.MaxRetries, o.MaintNotificationsConfig = name, 2, true, -1, quiet
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = dialTimeout, ioTimeout, ioTimeout
	o.TLSConfig = trust.over(o.TLSConfig)
	return redis.NewClient(o), nil
}

// trust is what a URL says of TLS besides its scheme, in the words of amqps URLs.
type trust struct {
	base   *tls.Config    // what the program says; nil: nothing
	roots  *x509.CertPool // nil: the system's
	own    []tls.Certificate
	server string // name expected in the server's certificate; "": the host
}

// takeTLS reads and removes cacertfile, certfile, keyfile and server_name_indication.
func takeTLS(u *url.URL) (t trust, err error) {
	q := u.Query()
	ca, cert, key := q.Get("cacertfile"), q.Get("certfile"), q.Get("keyfile")
	t.server = q.Get("server_name_indication")
	for _, k := range []string{"cacertfile", "certfile", "keyfile", "server_name_indication"} {
		q.Del(k)
	}
	u.RawQuery = q.Encode()
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return t, fmt.Errorf("read cacertfile: %w", err)
		}
		t.roots = x509.NewCertPool()
		if !t.roots.AppendCertsFromPEM(pem) {
			return t, fmt.Errorf("cacertfile %s holds no certificate", ca)
		}
	}
	if cert != "" || key != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return t, fmt.Errorf("read certfile and keyfile: %w", err)
		}
		t.own = []tls.Certificate{pair}
	}
	return t, nil
}

// over adds t to what the scheme asks for; nil is no TLS.
func (t trust) over(c *tls.Config) *tls.Config {
	if c == nil {
		return nil
	}
	if t.base != nil {
		named := t.base.Clone()
		named.ServerName = cmp.Or(named.ServerName, c.ServerName)
		c = named
	}
	if t.roots != nil {
		c.RootCAs = t.roots
	}
	if t.own != nil {
		c.Certificates = t.own
	}
	if t.server != "" {
		c.ServerName = t.server
	}
	return c
}
