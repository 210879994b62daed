package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"thump/agent/join"
	"thump/agent/service"
)

// spoolFolder is the agent's own folder in its data folder.
const spoolFolder = "agent"

func newLeave() *cobra.Command {
	var at place
	var force, purge bool
	cmd := &cobra.Command{
		Use:   "leave",
		Short: "Take this host out: its login on the server, the service, and with --purge its data",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := at.read()
			if err != nil {
				return err
			}
			if !slices.ContainsFunc(cfg.Bus.URLs, join.IsMember) {
				return fmt.Errorf("%s: this host has not joined a server", at.config)
			}
			out := cmd.OutOrStdout()
			if err := join.Leave(cmd.Context(), cfg.Bus); err != nil && !force {
				return fmt.Errorf("the server was not told (`thump host revoke %s` there and --force here do without): %w", cfg.Agent.Host, err)
			} else if err != nil {
				fmt.Fprintf(cmd.ErrOrStderr(), "thump-agent: the server was not told: %v\n", err)
			} else {
				fmt.Fprintln(out, "the server has removed this host's login")
			}
			return withdraw(cmd, out, at, cfg.DataDir, purge)
		},
	}
	at.flags(cmd)
	cmd.Flags().BoolVar(&force, "force", false, "go on when the server cannot be told")
	cmd.Flags().BoolVar(&purge, "purge", false, "remove what the agent has kept, too: samples that were not sent yet are lost")
	return cmd
}

// withdraw removes what is left on this host.
func withdraw(cmd *cobra.Command, out io.Writer, at place, dataDir string, purge bool) error {
	m, err := service.Find()
	if err == nil {
		if err = m.Remove(cmd.Context()); err == nil {
			fmt.Fprintln(out, "service removed")
		}
	} else if errors.Is(err, service.ErrNone) {
		fmt.Fprintln(out, "no service manager runs here: end the agent if it runs")
		err = nil
	}
	err = errors.Join(err, join.Forget(at.config))
	if purge {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dataDir, spoolFolder)))
	} else {
		fmt.Fprintln(out, "kept:", filepath.Join(dataDir, spoolFolder))
	}
	return err
}
