package collector

import (
	"errors"

	"thump/collector/history"
	"thump/collector/receive"
)

// Config is what the user may say about the collector.
type Config struct {
	// DataDir is the folder of history; it is made if missing, and locked. No default.
	DataDir string `yaml:"-"`

	// AdminAPI serves /api/v1/admin/tsdb/, which deletes series and writes
	// snapshots. Default false.
	AdminAPI bool `yaml:"admin_api" flag:"admin-api" usage:"let /api/v1/admin/tsdb delete series and write snapshots"`

	// Templates is the folder of files that say what hosts measure, over
	// configs/templates/default.yaml, which is built in. Default "": the folder
	// templates in the folder of history.
	Templates string `yaml:"templates" flag:"templates" usage:"folder of template files for agents (default: templates in the folder of history)"`

	history.Config `yaml:",inline"`

	// Forward is a file with the key remote_write of prometheus.yml: who is sent
	// all that history takes. Default "": nobody.
	Forward string `yaml:"forward" flag:"forward" usage:"file with remote_write of prometheus.yml: who is sent all that history takes"`

	// Limits of what one host may bring.
	Limits Limits `yaml:"limits"`

	Receive receive.Config `yaml:"receive"`
}

// DefaultConfig is the configuration of someone who says nothing.
func DefaultConfig() Config {
	return Config{Config: history.DefaultConfig(), Limits: DefaultLimits(), Receive: receive.DefaultConfig()}
}

// Validate says what is wrong with the configuration.
func (c *Config) Validate() error {
	if c.DataDir == "" {
		return errors.New("no data folder")
	}
	if err := c.Limits.Validate(); err != nil {
		return err
	}
	return c.Config.Validate()
}
