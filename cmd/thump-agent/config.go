package main

import (
	"thump/agent"
	"thump/internal/bus"
	"thump/internal/logging"
)

// Config is the configuration of the agent's program; its keys are those that
// configs/thump.yaml has for the same things.
type Config struct {
	// DataDir is the folder in which everything that is kept lies, the spool in
	// the folder agent in it. Default ./data.
	DataDir string `yaml:"data_dir" flag:"data-dir" usage:"folder for everything that is kept"`

	Log   logging.Config `yaml:"log"`
	Bus   bus.Config     `yaml:"bus"`
	Agent agent.Config   `yaml:"agent"`
}

// DefaultConfig publishes to the broker of this host.
func DefaultConfig() Config {
	return Config{
		DataDir: "data",
		Log:     logging.DefaultConfig(),
		Bus:     bus.DefaultConfig(),
		Agent:   agent.DefaultConfig(),
	}
}
