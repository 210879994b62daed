package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"thump/agent"
	"thump/agent/service"
	"thump/internal/bus"
	"thump/internal/config"
	"thump/internal/logging"
	"thump/internal/process"
	"thump/internal/telemetry"
)

// newRoot returns the command line.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "thump-agent",
		Short:         "Measure this host and publish what is read",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       process.Version, // no template for it: text/template alone makes the program a quarter larger
	}
	root.AddCommand(newRun(), newJoin(), newLeave(), newStatus(), newUpgrade(), newVersion())
	return root
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "thump-agent", process.Version)
			return err
		},
	}
}

func newRun() *cobra.Command {
	cfg, file := DefaultConfig(), ""
	var once, show bool
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run until ended",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := config.Load(cmd.Flags(), cmp.Or(file, os.Getenv(config.Env("config"))), os.LookupEnv, &cfg); err != nil {
				return err
			}
			switch {
			case once != show:
				return errors.New("--once and --print go together: nothing is published then")
			case once:
				return agent.Print(cmd.Context(), cfg.Agent, process.Version, cmd.OutOrStdout())
			}
			return service.Run(cmd.Context(), func(ctx context.Context) error { return run(ctx, cfg) })
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "configuration file, YAML ("+config.Env("config")+")")
	cmd.Flags().BoolVar(&once, "once", false, "measure once, with --print")
	cmd.Flags().BoolVar(&show, "print", false, "print what would be sent as Prometheus text, with --once")
	config.Bind(cmd.Flags(), &cfg)
	return cmd
}

// run runs the agent, and under it the link to the broker, until ctx ends.
func run(ctx context.Context, cfg Config) error {
	beThrifty()
	log, err := logging.New(os.Stderr, cfg.Log)
	if err != nil {
		return err
	}
	reg := prometheus.NewRegistry()
	b, err := bus.Open(cfg.Bus, bus.Options{
		Name: "thump-agent", Topology: telemetry.Topology(), Logger: log, Registerer: reg, Transports: transports(),
	})
	if err != nil {
		return err
	}
	cfg.Agent.DataDir = filepath.Join(cfg.DataDir, spoolFolder)
	a, err := agent.New(cfg.Agent, agent.Deps{Bus: b, Logger: log, Registerer: reg, Version: process.Version})
	if err != nil {
		return err
	}
	return process.RunStages(ctx, []process.Stage{{Name: "bus", Run: b.Run}, {Name: "agent", Run: a.Run}})
}
