package bus

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// DefaultURL is the built-in broker of this host.
const DefaultURL = "amqp://guest:guest@127.0.0.1:5672/"

// Config says which broker a component uses.
type Config struct {
	// URLs of the broker's nodes, tried in turn: amqp://user:password@host:5672/vhost,
	// or redis://user:password@host:6379/0 and its kin; see docs/bus.md.
	URLs []string `yaml:"urls" flag:"bus" usage:"broker to use, amqp://user:password@host:5672/vhost or redis://user:password@host:6379/0; several by comma"`
	// QueueType is the type with which the durable queues are declared: classic or
	// quorum (RabbitMQ only). All components must say the same. Default classic.
	QueueType string `yaml:"queue_type" flag:"bus-queue-type" usage:"type of the durable queues: classic, or quorum on a RabbitMQ cluster"`
	// Passive: the exchanges and queues are there, as thump bus setup makes them,
	// and the login may not make them. Default false.
	Passive bool `yaml:"passive" flag:"bus-passive" usage:"declare nothing: thump bus setup has made the exchanges and queues"`

	// CA vouches for a broker reached by amqps: certificates in PEM, or the file of
	// them. Default: whom this system trusts.
	CA string `yaml:"ca" flag:"bus-ca" usage:"PEM file of those who vouch for a broker reached by amqps"`

	Redis RedisConfig `yaml:"redis"`
}

// RedisConfig is what only a Redis is told.
type RedisConfig struct {
	// MaxLength is how many messages a stream holds at most while a subscriber is
	// away; then the oldest go, counted. Default 1,000,000.
	MaxLength int `yaml:"max_length" flag:"bus-redis-max-length" usage:"messages that a stream in Redis holds at most; then the oldest go"`
	// Replicas is how many replicas must have a message before it is confirmed.
	// Default 0.
	Replicas int `yaml:"replicas" flag:"bus-redis-replicas" usage:"replicas of Redis that must have a message before it counts as published"`
}

// The types of queues.
const (
	classic = "classic"
	quorum  = "quorum"
)

const defaultMaxLength = 1_000_000

// DefaultConfig names no broker: then Open takes the one of this host.
func DefaultConfig() Config {
	return Config{QueueType: classic, Redis: RedisConfig{MaxLength: defaultMaxLength}}
}

// Options are what the program, not its user, decides.
type Options struct {
	Name       string // of the connection, as the broker's operator sees it
	Topology   Topology
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	// TLS says how an amqps broker is checked, and which certificate shows who we
	// are; nil: as the Config says, and none.
	TLS *tls.Config
	// Changed, if set, is told nil when the link is up, and otherwise why an attempt
	// to connect failed or the link was lost. It must not block.
	Changed func(error)
	// Transports besides AMQP: a program names those that it is built with.
	Transports []Transport
}

// Open checks the configuration and returns a bus that is not connected until
// its Run is called.
func Open(cfg Config, o Options) (Bus, error) {
	if len(cfg.URLs) == 0 {
		cfg.URLs = []string{DefaultURL}
	}
	if cfg.Redis.MaxLength == 0 {
		cfg.Redis.MaxLength = defaultMaxLength
	}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if o.TLS == nil {
		var err error
		if o.TLS, err = cfg.trust(); err != nil {
			return nil, err
		}
	}
	dial, err := open(cfg, o)
	if err != nil {
		return nil, err
	}
	return newKeeper(cfg, o, dial), nil
}

// transport finds who speaks a URL's scheme.
func (o *Options) transport(rawURL string) (Transport, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("broker URL: %w", redact(err, rawURL))
	}
	var known []string
	for _, t := range append([]Transport{amqpTransport{}}, o.Transports...) {
		if known = append(known, t.Schemes()...); slices.Contains(t.Schemes(), u.Scheme) {
			if u.Hostname() == "" {
				return nil, fmt.Errorf("broker URL %s has no host", Redact(rawURL))
			}
			return t, nil
		}
	}
	return nil, fmt.Errorf("broker URL %s: scheme %q is not one of %s", Redact(rawURL), u.Scheme, strings.Join(known, ", "))
}

// open finds the transport that all URLs have in common.
func open(cfg Config, o Options) (Dial, error) {
	var common Transport
	for _, raw := range cfg.URLs {
		t, err := o.transport(raw)
		if err != nil {
			return nil, err
		}
		if common != nil && t != common {
			return nil, fmt.Errorf("broker URLs of several kinds: %s is not like those before it", Redact(raw))
		}
		common = t
	}
	return common.Dial(cfg, o), nil
}

func (c *Config) check() error {
	switch {
	case c.QueueType != "" && c.QueueType != classic && c.QueueType != quorum:
		return fmt.Errorf("bus.queue_type (--bus-queue-type) %q is not one of classic, quorum", c.QueueType)
	case c.Redis.MaxLength < 0 || c.Redis.Replicas < 0:
		return fmt.Errorf("bus.redis.max_length %d, replicas %d: want none below zero", c.Redis.MaxLength, c.Redis.Replicas)
	}
	return nil
}

// Redact is a broker's URL as it may be shown: without passwords.
func Redact(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(a URL that cannot be read)"
	}
	if q := u.Query(); q.Has("password") { // of the servers behind a sentinel
		q.Set("password", "xxxxx")
		u.RawQuery = q.Encode()
	}
	return u.Redacted()
}

// trust is how a broker reached by amqps is checked.
func (c *Config) trust() (*tls.Config, error) {
	trust := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CA == "" {
		return trust, nil
	}
	text := []byte(c.CA)
	if !strings.HasPrefix(c.CA, "-----BEGIN") {
		var err error
		if text, err = os.ReadFile(c.CA); err != nil {
			return nil, fmt.Errorf("read the broker's CA: %w", err)
		}
	}
	trust.RootCAs = x509.NewCertPool()
	if !trust.RootCAs.AppendCertsFromPEM(text) {
		return nil, errors.New("broker's CA: no certificate in bus.ca")
	}
	return trust, nil
}

// redact keeps the URL, and the password in it, out of an error.
func redact(err error, raw string) error {
	return fmt.Errorf("%s", strings.ReplaceAll(err.Error(), raw, "(given)"))
}
