package main

import (
	"context"
	"fmt"
	"os"

	tea "charm.land/bubbletea/v2"
	"github.com/spf13/cobra"
	terminal "golang.org/x/term"

	"thump/internal/config"
)

// newTop is a command that shows the hosts in the terminal, live.
func newTop() *cobra.Command {
	server, once := "http://127.0.0.1:8420", false
	if s, ok := os.LookupEnv(config.Env("server")); ok {
		server = s
	}
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Watch the hosts live in the terminal",
		Long: "Top shows what the dashboard's overview shows, as it arrives: press c, m, d, l, i, o, n or s to sort by\n" +
			"cpu, memory, disk, load, received, sent, name or the time since a host was seen, the same key again to\n" +
			"turn the order, / to filter by host, group or state (up, silent), q to leave. It reads the dashboard's\n" +
			"stream, waits for it while it is away, and with --once, or where there is no terminal, prints it once.",
		Example: "  thump top\n  thump top --server http://monitor:8420\n  thump top --once | sort -k3 -r | head",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f := &follower{server: server}
			if once || !terminal.IsTerminal(int(os.Stdout.Fd())) {
				hosts, err := f.once(cmd.Context())
				if err != nil {
					return err
				}
				return printHosts(cmd.OutOrStdout(), hosts)
			}
			return watch(cmd, f)
		},
	}
	cmd.Flags().StringVar(&server, "server", server, "dashboard to follow ("+config.Env("server")+")")
	cmd.Flags().BoolVar(&once, "once", false, "print the hosts once, as a table for scripts")
	return cmd
}

// watch draws until the user leaves.
func watch(cmd *cobra.Command, f *follower) error {
	p := tea.NewProgram(newTopScreen(f.server), tea.WithContext(cmd.Context()))
	ended := make(chan struct{})
	ctx, cancel := context.WithCancel(cmd.Context())
	go func() {
		defer close(ended)
		f.follow(ctx, p.Send)
	}()
	_, err := p.Run()
	cancel()
	<-ended
	if err != nil && cmd.Context().Err() == nil {
		return fmt.Errorf("terminal: %w", err)
	}
	return nil
}
