package main

import (
	"cmp"
	"os"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"thump/internal/config"
)

// place is where the agent of this host has its things.
type place struct{ config, dataDir string }

// installed is where an agent that is a service has them.
func installed() place {
	switch runtime.GOOS {
	case "linux":
		return place{"/etc/thump-agent/agent.yaml", "/var/lib/thump-agent"}
	case "windows":
		dir := filepath.Join(cmp.Or(os.Getenv("ProgramData"), `C:\ProgramData`), "thump-agent")
		return place{filepath.Join(dir, "agent.yaml"), filepath.Join(dir, "data")}
	}
	return place{"/usr/local/etc/thump-agent/agent.yaml", "/usr/local/var/lib/thump-agent"}
}

// flags makes a command take another place for the configuration.
func (p *place) flags(cmd *cobra.Command) {
	*p = installed()
	p.config = cmp.Or(os.Getenv(config.Env("config")), p.config)
	cmd.Flags().StringVar(&p.config, "config", p.config, "the agent's configuration file ("+config.Env("config")+")")
}

// read reads the configuration as far as it is in the file.
func (p *place) read() (Config, error) {
	cfg := DefaultConfig()
	return cfg, config.ReadFile(p.config, &cfg)
}
