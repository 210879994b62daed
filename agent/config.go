package agent

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"thump/agent/command"
	"thump/agent/spool"
	"thump/agent/template"
	"thump/internal/config"
	"thump/internal/telemetry"
)

// Config of an agent.
type Config struct {
	// Host is the name that the host reports under, label instance; default: its host name.
	Host string `yaml:"host" flag:"host" usage:"name that this host reports under (default: its host name)"`
	// Group is what the host belongs to, label group; default "default".
	Group string `yaml:"group" flag:"group" usage:"group that this host belongs to"`
	// Groups are further groups of the host, by which templates and requests find it.
	Groups []string `yaml:"groups" flag:"groups" usage:"further groups of this host, by comma"`
	// Labels are put on every series besides instance, job and group.
	Labels map[string]string `yaml:"labels"`
	// DataDir is the agent's own folder, which holds the spool.
	DataDir string `yaml:"-"`
	// SpoolSize is the disk space for batches that the broker has not confirmed yet; default 256MiB.
	SpoolSize config.Bytes `yaml:"spool_size" flag:"spool-size" usage:"disk space for batches that the broker has not confirmed yet"`
	// BacklogRate is how many spooled batches are published per second after an outage; default 50.
	BacklogRate int `yaml:"backlog_rate" flag:"backlog-rate" usage:"spooled batches published per second after an outage"`
	// Exec lists the programs that checks of a template may run: patterns of absolute
	// paths, and before one of them the user that it may run as, if not the agent's
	// own: nagios:/usr/lib/nagios/plugins/*. Default none.
	Exec []string `yaml:"exec" flag:"exec" usage:"programs that checks may run, /usr/lib/nagios/plugins/* or user:/path, by comma"`
	// Commands says which remote commands run; default none.
	Commands command.Config `yaml:"commands"`
	// TemplateFrom says whose template holds: server, the default, or file, which is Template.
	TemplateFrom string `yaml:"template_from" flag:"template-from" usage:"whose template holds: server or file"`
	// Template says which probes run and how often, until a server has given another.
	Template template.Template `yaml:"template"`
}

// Values of TemplateFrom.
const (
	fromServer = "server"
	fromFile   = "file"
)

// DefaultConfig is an agent of group "default" under its host's own name.
func DefaultConfig() Config {
	return Config{Group: "default", SpoolSize: 256 << 20, BacklogRate: 50, TemplateFrom: fromServer, Template: template.Default(),
		Commands: command.DefaultConfig()}
}

// check completes and checks a configuration.
func (c *Config) check() error {
	if c.Host == "" {
		name, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("read host name, give one with --host: %w", err)
		}
		c.Host = name
	}
	if c.Group == "" {
		return errors.New("agent: empty group")
	}
	if c.BacklogRate < 1 {
		return fmt.Errorf("agent: backlog rate %d, want at least 1", c.BacklogRate)
	}
	if size := int64(c.SpoolSize); size < spool.MinBytes || size > spool.MaxBytes {
		return fmt.Errorf("agent: spool size %s, want %s to %s", c.SpoolSize, config.Bytes(spool.MinBytes), config.Bytes(spool.MaxBytes))
	}
	if c.TemplateFrom != fromServer && c.TemplateFrom != fromFile {
		return fmt.Errorf("agent: template from %q, want %s or %s", c.TemplateFrom, fromServer, fromFile)
	}
	for _, e := range c.Exec {
		_, pattern, _ := strings.Cut(e, "/")
		if _, err := path.Match("/"+pattern, ""); err != nil || !strings.Contains(e, "/") {
			return fmt.Errorf("agent: exec %q, want /path/of/programs/* or user:/path", e)
		}
	}
	if err := c.Template.Check(known()); err != nil {
		return err
	}
	for name := range c.Labels {
		switch name {
		case "", telemetry.NameLabel, "instance", "job", "group":
			return fmt.Errorf("agent: label %q cannot be set", name)
		}
	}
	return nil
}

// groups are all groups of the host, first the one on every series.
func (c *Config) groups() []string { return append([]string{c.Group}, c.Groups...) }

// common are the labels of every series.
func (c *Config) common() []telemetry.Label {
	ls := []telemetry.Label{{Name: "instance", Value: c.Host}, {Name: "job", Value: "node"}, {Name: "group", Value: c.Group}}
	for name, value := range c.Labels {
		ls = append(ls, telemetry.Label{Name: name, Value: value})
	}
	return ls
}
