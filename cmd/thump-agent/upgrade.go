package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"thump/agent/service"
)

// proving is how long a new program must keep running before the old one is gone
// for good.
const proving = 5 * time.Second

func newUpgrade() *cobra.Command {
	var sum string
	cmd := &cobra.Command{
		Use:   "upgrade FILE",
		Short: "Replace this program by another version of it and restart the service",
		Long: "Upgrade checks that FILE is a thump-agent that runs here, puts it in this program's place, and restarts the\n" +
			"service. If the service does not come up the old program comes back. Configuration and data stay.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			program, err := ownProgram()
			if err != nil {
				return err
			}
			version, err := service.Upgrade(cmd.Context(), program, args[0], sum)
			if err != nil {
				return err
			}
			return restart(cmd.Context(), cmd.OutOrStdout(), program, version)
		},
	}
	cmd.Flags().StringVar(&sum, "sha256", "", "what the SHA-256 of FILE has to be")
	return cmd
}

// restart has the service run the new program, or puts the old one back.
func restart(ctx context.Context, out io.Writer, program, version string) error {
	m, err := service.Find()
	if errors.Is(err, service.ErrNone) {
		fmt.Fprintf(out, "%s is now %s; %v: restart the agent yourself\n", program, version, err)
		return service.Settled(program)
	}
	if err != nil {
		return err
	}
	if err = m.Restart(ctx); err == nil {
		err = proven(ctx, m)
	}
	if err == nil {
		fmt.Fprintf(out, "%s is now %s, and the service runs\n", program, version)
		return service.Settled(program)
	}
	back := service.Restore(program)
	if back == nil {
		back = m.Restart(ctx)
	}
	return errors.Join(fmt.Errorf("the service does not run with %s, the old program is back: %w", version, err), back)
}

// proven tells whether the service keeps running for a while.
func proven(ctx context.Context, m service.Manager) error {
	select {
	case <-time.After(proving):
	case <-ctx.Done():
		return ctx.Err()
	}
	if s := m.State(ctx); s != "active" && s != "running" {
		return fmt.Errorf("%s says %q", m.Name(), s)
	}
	return nil
}
