package alerting

import (
	"fmt"
	"net/url"
	"time"

	"thump/internal/config"
)

// Config of alerting.
type Config struct {
	// DataDir is alerting's folder; it is made if missing, and locked. No default.
	DataDir string `yaml:"-"`
	// Rules are Prometheus rule files: paths, with wildcards if wanted. Default:
	// none, which means the rules that ship with thump.
	Rules []string `yaml:"rules" flag:"rules" usage:"Prometheus rule files, with wildcards if wanted; several by comma; default: the rules that ship with thump"`
	// AlertmanagerConfig is an alertmanager.yml. Default: none, which means the
	// one that ships with thump and tells nobody.
	AlertmanagerConfig string `yaml:"alertmanager_config" flag:"alertmanager-config" usage:"alertmanager.yml that says who is told; default: one that tells nobody"`
	// ExternalURL is where people reach thump; notifications link to it. Default: http://localhost:8420.
	ExternalURL string `yaml:"external_url" flag:"external-url" usage:"where people reach thump, for the links in notifications"`
	// Interval is how often a group of rules that says no interval is evaluated
	// if nothing arrives. Default: 15s.
	Interval config.Duration `yaml:"interval" flag:"rules-interval" usage:"how often a group of rules is evaluated if nothing arrives"`
	// Gap is the time between two evaluations of a group, at least. Default: 100ms.
	Gap config.Duration `yaml:"gap" flag:"rules-gap" usage:"time between two evaluations of a group of rules, at least"`
}

// DefaultConfig evaluates the shipped rules and tells nobody.
func DefaultConfig() Config {
	return Config{
		ExternalURL: "http://localhost:8420",
		Interval:    config.Duration(15 * time.Second),
		Gap:         config.Duration(100 * time.Millisecond),
	}
}

func (c *Config) externalURL() (*url.URL, error) {
	u, err := url.Parse(c.ExternalURL)
	switch {
	case err != nil:
		return nil, fmt.Errorf("external URL: %w", err)
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, fmt.Errorf("external URL %q: want for example https://thump.example.org", c.ExternalURL)
	}
	return u, nil
}

func (c *Config) check() error {
	switch {
	case c.Interval.D() <= 0:
		return fmt.Errorf("rules interval %s: want more than zero", c.Interval)
	case c.Gap.D() < 0:
		return fmt.Errorf("rules gap %s: want zero or more", c.Gap)
	}
	return nil
}
