package main

import (
	"cmp"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"thump/internal/config"
	"thump/internal/enrolment"
)

// desk is where the commands for the server's operator ask.
type desk struct{ dataDir string }

// flag makes the command take the data folder of the server.
func (d *desk) flag(cmd *cobra.Command) {
	d.dataDir = cmp.Or(os.Getenv(config.Env("data-dir")), DefaultConfig().Process.DataDir)
	cmd.PersistentFlags().StringVar(&d.dataDir, "data-dir", d.dataDir, "data folder of the running server ("+config.Env("data-dir")+")")
}

func (d *desk) open() *enrolment.Desk { return enrolment.NewDesk(enrolment.SocketIn(d.dataDir)) }

// newToken is a command for the tokens by which agents join.
func newToken() *cobra.Command {
	var d desk
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make, list and revoke the tokens by which hosts join",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	d.flag(cmd)
	cmd.AddCommand(newTokenCreate(&d), newTokenList(&d), &cobra.Command{
		Use:   "revoke ID…",
		Short: "Let nobody in by a token any more; hosts that have joined stay",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, ids []string) error {
			for _, id := range ids {
				if err := d.open().RevokeToken(cmd.Context(), id); err != nil {
					return err
				}
				fmt.Fprintln(cmd.OutOrStdout(), "revoked", id)
			}
			return nil
		},
	})
	return cmd
}

func newTokenCreate(d *desk) *cobra.Command {
	n := enrolment.NewToken{Expires: config.Duration(24 * time.Hour), Uses: 1}
	var server string
	cmd := &cobra.Command{
		Use:   "create --group GROUP",
		Short: "Make a token and print the line by which a host joins",
		Long: "Create makes a token and prints, once, the line to run on the host. The first group is the label group of\n" +
			"what the host reports; by all of them templates and remote commands find it.",
		Example: "  thump token create --group web\n  thump token create --group web,production --expires 7d --uses 50",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			i, err := d.open().CreateToken(cmd.Context(), &n)
			if err != nil {
				return err
			}
			return invite(cmd.OutOrStdout(), cmd.ErrOrStderr(), i, server)
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&n.Groups, "group", []string{"default"}, "group of the hosts, and further groups by comma")
	f.Var(&n.Expires, "expires", "how long hosts may join by it")
	f.IntVar(&n.Uses, "uses", n.Uses, "how many hosts may join by it; 0: any number")
	f.StringVar(&server, "server", "", "URL by which the hosts reach the broker (default: what the server believes)")
	return cmd
}

// invite prints the line to standard output, and alone, so that a script can take it.
func invite(out, notes io.Writer, i *enrolment.Invitation, server string) error {
	server = cmp.Or(server, i.Server)
	if server == "" {
		server = "amqps://SERVER:5671"
		fmt.Fprintln(notes, "thump: this server does not listen for agents on other hosts: start it with --amqps 0.0.0.0:5671")
	} else if u, err := url.Parse(server); err != nil || u.Scheme != "amqps" || u.Host == "" {
		return fmt.Errorf("--server %q: want amqps://HOST:PORT", server)
	}
	fmt.Fprintf(notes, "thump: token %s for group %s, %s, until %s; it is shown this once\n",
		i.Token.ID, strings.Join(i.Token.Groups, ", "), uses(i.Token.Uses), i.Token.Expires.Local().Format(time.DateTime))
	_, err := fmt.Fprintf(out, "thump-agent join %s --token %s --ca-pin %s\n", server, i.Secret, i.Pin)
	return err
}

func uses(n int) string {
	switch n {
	case 0:
		return "any number of hosts"
	case 1:
		return "one host"
	}
	return strconv.Itoa(n) + " hosts"
}

func newTokenList(d *desk) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List tokens, also those that ended up to 30 days ago",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			tokens, err := d.open().Tokens(cmd.Context())
			if err != nil {
				return err
			}
			rows := [][]string{{"TOKEN", "GROUPS", "STATE", "USED", "EXPIRES"}}
			for _, t := range tokens {
				used := strconv.Itoa(t.Used)
				if t.Uses > 0 {
					used += " of " + strconv.Itoa(t.Uses)
				}
				rows = append(rows, []string{t.ID, strings.Join(t.Groups, ","), t.State(time.Now()), used, t.Expires.Local().Format(time.DateTime)})
			}
			return columns(cmd.OutOrStdout(), rows)
		},
	}
}

// columns prints rows with their cells below each other.
func columns(w io.Writer, rows [][]string) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		if _, err := fmt.Fprintln(tw, strings.Join(r, "\t")); err != nil {
			return err
		}
	}
	return tw.Flush()
}
