package main

import (
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"thump/internal/config"
	"thump/internal/logging"
	"thump/internal/process"
)

// newRoot returns the command line.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "thump",
		Short:         "A monitoring pipeline on publish/subscribe",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       process.Version,
	}
	root.SetVersionTemplate("thump {{.Version}}\n")
	root.AddCommand(
		newRun("up", "Run the whole pipeline and an agent for this host", up, func(c *Config) []any {
			return []any{&c.Authority, &c.Bus, &c.Broker, &c.Collector, &c.Alerting, &c.Dashboard, &c.Agent}
		}),
		newRun("broker", "Run the AMQP 0-9-1 broker alone", brokerOnly, func(c *Config) []any { return []any{&c.Authority, &c.Broker} }),
		newRun("collector", "Run the collector alone: history and its query API", collectorOnly, func(c *Config) []any { return []any{&c.Bus, &c.Collector} }),
		newRun("alerting", "Run alerting alone: rules and notifications", alertingOnly, func(c *Config) []any { return []any{&c.Bus, &c.Alerting} }),
		newRun("dashboard", "Run the dashboard alone", dashboardOnly, func(c *Config) []any { return []any{&c.Bus, &c.Dashboard} }),
		newRun("agent", "Run the agent alone", agentOnly, func(c *Config) []any { return []any{&c.Bus, &c.Agent} }),
		newCtl(),
		newCheck(),
		newBus(),
		newQuery(),
		newHistory(),
		newPublish(),
		newTail(),
		newTop(),
		newToken(),
		newHost(),
		newAlerts(),
		newExec(),
	)
	return root
}

// newRun is a command that runs parts of the pipeline until it is ended. Its
// flags are those of the process and of sections.
func newRun(name, short string, build func(*program) error, sections func(*Config) []any) *cobra.Command {
	cfg, file := DefaultConfig(), ""
	cmd := &cobra.Command{
		Use:   name,
		Short: short,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := config.Load(cmd.Flags(), fileOr(file), os.LookupEnv, &cfg); err != nil {
				return err
			}
			log, err := logging.New(os.Stderr, cfg.Process.Log)
			if err != nil {
				return err
			}
			return runProgram(cmd, cfg, log, build)
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "configuration file, YAML ("+config.Env("config")+")")
	for _, section := range append(sections(&cfg), &cfg.Process) {
		config.Bind(cmd.Flags(), section)
	}
	cmd.Flags().SortFlags = true
	return cmd
}

// runProgram opens the parts, all of them before any runs, and runs them.
func runProgram(cmd *cobra.Command, cfg Config, log *slog.Logger, build func(*program) error) error {
	p, err := newProgram(cmd.Context(), cfg, log)
	if err != nil {
		return err
	}
	if p.job = "thump"; cmd.Name() != "up" {
		p.job += "-" + cmd.Name()
	}
	if err := build(p); err != nil {
		return err
	}
	return p.run(cmd.Context())
}

// fileOr is the configuration file by flag, or else by variable.
func fileOr(flag string) string {
	if flag != "" {
		return flag
	}
	return os.Getenv(config.Env("config"))
}
