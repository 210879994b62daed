package bus

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/url"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// DefaultURL is the built-in broker of this host.
const DefaultURL = "amqp://guest:guest@127.0.0.1:5672/"

// Config says which broker a component uses.
type Config struct {
	// URLs of the broker's nodes, tried in turn: amqp://user:password@host:5672/vhost.
	URLs []string `yaml:"urls" flag:"bus" usage:"broker to use, amqp://user:password@host:5672/vhost; several by comma"`
}

// DefaultConfig is the built-in broker of this host.
func DefaultConfig() Config { return Config{URLs: []string{DefaultURL}} }

// Options are what the program, not its user, decides.
type Options struct {
	Name       string // of the connection, as the broker's operator sees it
	Topology   Topology
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	// TLS says how an amqps broker is checked, and which certificate shows who we
	// are; nil: by the system's authorities, and none.
	TLS *tls.Config
	// Changed, if set, is told nil when the link is up, and otherwise why an attempt
	// to connect failed or the link was lost. It must not block.
	Changed func(error)
}

// Open checks the configuration and returns a bus that is not connected until
// its Run is called.
func Open(cfg Config, o Options) (Bus, error) {
	if len(cfg.URLs) == 0 {
		return nil, fmt.Errorf("no broker given: want for example --bus %s", DefaultURL)
	}
	for _, raw := range cfg.URLs {
		u, err := url.Parse(raw)
		if err != nil {
			return nil, fmt.Errorf("broker URL: %w", redact(err, raw))
		}
		if u.Scheme != "amqp" && u.Scheme != "amqps" {
			return nil, fmt.Errorf("broker URL %s: scheme %q is not one of amqp, amqps", u.Redacted(), u.Scheme)
		}
		if u.Hostname() == "" {
			return nil, fmt.Errorf("broker URL %s has no host", u.Redacted())
		}
	}
	return newAMQP(cfg, o), nil
}

// redact keeps the URL, and the password in it, out of an error.
func redact(err error, raw string) error {
	return fmt.Errorf("%s", strings.ReplaceAll(err.Error(), raw, "(given)"))
}
