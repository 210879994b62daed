package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"thump/agent/join"
	"thump/agent/service"
	"thump/configs"
	"thump/internal/process"
)

// tokenVariable keeps the token out of the process list.
const tokenVariable = "THUMP_TOKEN"

// servicePrograms is where a program is copied to that lies where no service may
// run it.
const servicePrograms = "/usr/local/bin/thump-agent"

func newJoin() *cobra.Command {
	var i join.Invitation
	var at place
	var alone bool
	cmd := &cobra.Command{
		Use:   "join amqps://SERVER:5671 --token TOKEN --ca-pin PIN",
		Short: "Let this host in to a server, and run the agent as a service",
		Long: "Join asks the server for a login of this host's own, writes it to the agent's configuration, and installs and\n" +
			"starts the service. `thump token create` on the server prints the line. The token may be in " + tokenVariable + " instead.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			i.Server, i.Token = args[0], cmp.Or(i.Token, os.Getenv(tokenVariable))
			m, err := admit(cmd.Context(), i, at)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			fmt.Fprintf(out, "host %s has joined %s, group %s; configuration: %s\n", m.Host, i.Server, strings.Join(m.Groups, ", "), at.config)
			if alone {
				return byHand(out, at, "")
			}
			return install(cmd.Context(), out, at)
		},
	}
	at.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&i.Token, "token", "", "token of the server ("+tokenVariable+")")
	f.StringVar(&i.Pin, "ca-pin", "", "pin of the CA that vouches for the server, sha256:… (default: whom this system trusts)")
	f.StringVar(&i.Host, "host", "", "name that this host reports under (default: its host name)")
	f.StringVar(&at.dataDir, "data-dir", at.dataDir, "folder for what the agent keeps")
	f.BoolVar(&alone, "no-service", false, "install no service")
	return cmd
}

// admit joins, and keeps what the server gives.
func admit(ctx context.Context, i join.Invitation, at place) (*join.Membership, error) {
	cfg, err := at.read()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, u := range cfg.Bus.URLs {
		if join.IsMember(u) {
			return nil, fmt.Errorf("this host has %w, as %s says: `thump-agent leave` first", join.ErrJoined, at.config)
		}
	}
	if err := join.Writable(at.config); err != nil {
		return nil, err
	}
	m, err := join.Ask(ctx, i, process.Version)
	if err != nil {
		return nil, err
	}
	if err := m.Write(at.config, at.dataDir); err != nil {
		return nil, fmt.Errorf("the server has let this host in, but what it gave could not be kept; `thump host revoke %s` there, then join again: %w", m.Host, err)
	}
	return m, nil
}

// install has the service manager run the agent, or says how to run it without.
func install(ctx context.Context, out io.Writer, at place) error {
	m, err := service.Find()
	if errors.Is(err, service.ErrNone) {
		return byHand(out, at, err.Error()+"; ")
	}
	if err != nil {
		return err
	}
	program, err := ownProgram()
	if err == nil && m.Name() != "Windows services" {
		program, err = service.Settle(program, servicePrograms)
	}
	if err == nil {
		err = m.Install(ctx, service.Plan{Program: program, Config: at.config, DataDir: at.dataDir, Unit: configs.AgentUnit})
	}
	if err != nil {
		return fmt.Errorf("the host has joined, but %s does not run the agent: %w", m.Name(), err)
	}
	_, err = fmt.Fprintf(out, "service thump-agent installed and started by %s\n", m.Name())
	return err
}

func byHand(out io.Writer, at place, why string) error {
	_, err := fmt.Fprintf(out, "%srun the agent with: thump-agent run --config %s\n", why, at.config)
	return err
}

// ownProgram is the file of this program.
func ownProgram() (string, error) {
	p, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program's file: %w", err)
	}
	return filepath.EvalSymlinks(p)
}

// Exit codes besides 0 and 1, which is any other error.
const (
	codeToken       = 3
	codeJoined      = 4
	codeTrust       = 5
	codeUnreachable = 6
)

// exitCode tells a script what went wrong.
func exitCode(err error) int {
	switch {
	case errors.Is(err, join.ErrToken):
		return codeToken
	case errors.Is(err, join.ErrJoined):
		return codeJoined
	case errors.Is(err, join.ErrTrust):
		return codeTrust
	case errors.Is(err, join.ErrUnreachable):
		return codeUnreachable
	}
	return 1
}
