package alerting

import (
	"fmt"
	"net/url"
	"time"

	"thump/internal/config"
	"thump/internal/telemetry"
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
	// Collector is the URL of a collector, from which a new store is filled.
	// Default: none, which means that the rules look back on what arrives.
	Collector string `yaml:"collector" flag:"alerting-collector" usage:"URL of a collector, from whose history alerting's store is filled at first start"`
	// Heartbeat goes out as long as alerting works.
	Heartbeat Heartbeat `yaml:"heartbeat"`
	// Cluster is the other instances, if there are any.
	Cluster Cluster `yaml:"cluster"`
}

// Heartbeat is a dead man's switch: somebody else notices when it stops.
type Heartbeat struct {
	// URL gets a POST. Default: none, which means no heartbeat.
	URL string `yaml:"url" flag:"heartbeat-url" usage:"URL that gets a POST again and again while alerting works"`
	// Interval between two. Default: 1m.
	Interval config.Duration `yaml:"interval" flag:"heartbeat-interval" usage:"time between two heartbeats"`
}

// Cluster is how several instances that notify once find each other.
type Cluster struct {
	// Listen is the address of the gossip, TCP and UDP. Default: none, which means
	// that this instance is alone.
	Listen string `yaml:"listen" flag:"alerting-cluster-listen" usage:"address for gossip with other instances of alerting, TCP and UDP"`
	// Peers are the addresses of some of the others. Default: none.
	Peers []string `yaml:"peers" flag:"alerting-cluster-peer" usage:"addresses of other instances of alerting; several by comma"`
	// Name tells instances apart: each but one needs one, and has the queue
	// thump.alerting.NAME. Default: none, for the one whose queue is thump.alerting.
	Name string `yaml:"name" flag:"alerting-cluster-name" usage:"name of this instance and its queue; one instance has none"`
}

// DefaultConfig evaluates the shipped rules and tells nobody.
func DefaultConfig() Config {
	return Config{
		ExternalURL: "http://localhost:8420",
		Interval:    config.Duration(15 * time.Second),
		Gap:         config.Duration(100 * time.Millisecond),
		Heartbeat:   Heartbeat{Interval: config.Duration(time.Minute)},
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
	case c.Heartbeat.Interval.D() < time.Second:
		return fmt.Errorf("heartbeat interval %s: want 1s or more", c.Heartbeat.Interval)
	case c.Cluster.Name != telemetry.Word(c.Cluster.Name):
		return fmt.Errorf("name of this instance of alerting %q: want letters, digits, _ and - only", c.Cluster.Name)
	case c.Gap.D() < 0:
		return fmt.Errorf("rules gap %s: want zero or more", c.Gap)
	}
	return nil
}
