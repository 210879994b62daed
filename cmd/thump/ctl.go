package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// ctl is one call of `thump ctl`: rabbitmqctl's verbs, over the management API.
type ctl struct {
	api managementAPI

	vhost     string
	quiet     bool // no banners
	silent    bool // no banners and no headers
	formatter string
	noHeaders bool
	out       io.Writer
}

// newCtl is the command with all its verbs.
func newCtl() *cobra.Command {
	c := &ctl{}
	cmd := &cobra.Command{
		Use:   "ctl VERB",
		Short: "Manage a broker, with rabbitmqctl's verbs",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cmd.Help()
		},
		PersistentPreRun: func(cmd *cobra.Command, _ []string) { c.out = cmd.OutOrStdout() },
	}
	f := cmd.PersistentFlags()
	f.StringVarP(&c.api.url, "node", "n", "http://127.0.0.1:15672", "URL of the broker's management API")
	f.StringVar(&c.api.user, "user", "guest", "user with the tag administrator")
	f.StringVar(&c.api.password, "password", "guest", "password of the user")
	f.StringVarP(&c.vhost, "vhost", "p", "/", "virtual host")
	f.BoolVarP(&c.quiet, "quiet", "q", false, "print no banners")
	f.BoolVarP(&c.silent, "silent", "s", false, "print no banners and no headers")
	f.StringVar(&c.formatter, "formatter", "table", "table, json, csv or pretty_table")
	f.BoolVar(&c.noHeaders, "no-table-headers", false, "print no headers of columns")
	for _, l := range listings() {
		cmd.AddCommand(c.listCommand(l))
	}
	for _, v := range c.verbs() {
		cmd.AddCommand(v)
	}
	return cmd
}

// banner says what is being done, as rabbitmqctl does.
func (c *ctl) banner(format string, args ...any) {
	if !c.quiet && !c.silent && c.formatter != "json" {
		fmt.Fprintf(c.out, format+" ...\n", args...)
	}
}

// say prints a result in words.
func (c *ctl) say(format string, args ...any) {
	if !c.quiet && !c.silent {
		fmt.Fprintf(c.out, format+"\n", args...)
	}
}
