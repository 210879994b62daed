package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// newHost is a command for the hosts that have joined.
func newHost() *cobra.Command {
	var d desk
	cmd := &cobra.Command{
		Use:   "host",
		Short: "List and revoke the hosts that have joined",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	d.flag(cmd)
	cmd.AddCommand(&cobra.Command{
		Use:   "list",
		Short: "List the hosts that have joined",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			hosts, err := d.open().Hosts(cmd.Context())
			if err != nil {
				return err
			}
			rows := [][]string{{"HOST", "GROUPS", "JOINED", "TOKEN", "SYSTEM"}}
			for _, h := range hosts {
				rows = append(rows, []string{h.Name, strings.Join(h.Groups, ","), h.Joined.Local().Format(time.DateTime), h.Token, h.OS + "/" + h.Arch})
			}
			return columns(cmd.OutOrStdout(), rows)
		},
	}, &cobra.Command{
		Use:   "revoke NAME…",
		Short: "Shut hosts out: their login is removed, their connection ends",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error {
			for _, name := range names {
				if err := d.open().RevokeHost(cmd.Context(), name); err != nil {
					return err
				}
				fmt.Fprintln(cmd.OutOrStdout(), "revoked", name)
			}
			return nil
		},
	})
	return cmd
}
