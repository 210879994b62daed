package main

import (
	"time"

	"thump/agent"
	"thump/alerting"
	"thump/broker"
	"thump/collector"
	"thump/dashboard"
	"thump/internal/authority"
	"thump/internal/bus"
	"thump/internal/config"
	"thump/internal/logging"
)

// Config is the configuration of every part; configs/thump.yaml shows it.
type Config struct {
	Process   ProcessConfig    `yaml:",inline"`
	Authority authority.Config `yaml:"authority"`
	Bus       bus.Config       `yaml:"bus"`
	Broker    broker.Config    `yaml:"broker"`
	Collector collector.Config `yaml:"collector"`
	Alerting  alerting.Config  `yaml:"alerting"`
	Dashboard dashboard.Config `yaml:"dashboard"`
	Agent     agent.Config     `yaml:"agent"`
}

// ProcessConfig is what every part needs, alone or with others in one process.
type ProcessConfig struct {
	// DataDir is the folder in which everything that is kept lies; each part has
	// a folder of its own in it. Default ./data.
	DataDir string `yaml:"data_dir" flag:"data-dir" usage:"folder for everything that is kept"`
	// HTTP is the address of the web UI and of the HTTP APIs. Default 127.0.0.1:8420.
	HTTP string `yaml:"http" flag:"http" usage:"address of the web UI and the HTTP APIs"`
	// OwnMetrics is how often a process that is more than an agent publishes its
	// own metrics; 0 is never. Default 15s.
	OwnMetrics config.Duration `yaml:"own_metrics" flag:"own-metrics" usage:"how often a server publishes its own metrics to the pipeline; 0: never"`

	Log logging.Config `yaml:"log"`
}

// DefaultConfig is the whole pipeline on this host, reachable from it alone.
func DefaultConfig() Config {
	return Config{
		Process:   ProcessConfig{DataDir: "data", HTTP: "127.0.0.1:8420", OwnMetrics: config.Duration(15 * time.Second), Log: logging.DefaultConfig()},
		Bus:       bus.DefaultConfig(),
		Broker:    broker.DefaultConfig(),
		Collector: collector.DefaultConfig(),
		Alerting:  alerting.DefaultConfig(),
		Dashboard: dashboard.DefaultConfig(),
		Agent:     agent.DefaultConfig(),
	}
}
