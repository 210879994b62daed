package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"thump/agent/join"
	"thump/agent/service"
	"thump/internal/bus"
	"thump/internal/config"
)

// loginWithin bounds the attempt to log in.
const loginWithin = 10 * time.Second

func newStatus() *cobra.Command {
	var at place
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say whether this host has joined, whether its service runs, and whether the server lets it in",
		Long:  "Status prints what there is to know here. The exit code is 1 unless the host has joined and the server lets it in.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := at.read()
			if err != nil {
				return err
			}
			return status(cmd.Context(), cmd.OutOrStdout(), at, &cfg)
		},
	}
	at.flags(cmd)
	return cmd
}

func status(ctx context.Context, out io.Writer, at place, cfg *Config) error {
	line := func(name, value string) { fmt.Fprintf(out, "%-14s %s\n", name, value) }
	line("configuration", at.config)
	line("host", cfg.Agent.Host)
	line("groups", strings.Join(append([]string{cfg.Agent.Group}, cfg.Agent.Groups...), ", "))
	line("joined", map[bool]string{true: "yes", false: "no"}[slices.ContainsFunc(cfg.Bus.URLs, join.IsMember)])
	line("commands", fmt.Sprintf("%d allowed", len(cfg.Agent.Commands.Allow)))
	if m, err := service.Find(); err != nil {
		line("service", err.Error())
	} else {
		line("service", m.State(ctx)+" ("+m.Name()+")")
	}
	line("spool", spoolSize(filepath.Join(cfg.DataDir, spoolFolder)))
	var failed error
	for _, raw := range cfg.Bus.URLs {
		err := logIn(ctx, bus.Config{URLs: []string{raw}, CA: cfg.Bus.CA})
		word := "lets this host in"
		if err != nil {
			word, failed = err.Error(), fmt.Errorf("not let in: %w", err)
		}
		line("server", redacted(raw)+": "+word)
	}
	if !slices.ContainsFunc(cfg.Bus.URLs, join.IsMember) {
		return fmt.Errorf("this host has not joined a server")
	}
	return failed
}

func redacted(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(unreadable URL)"
	}
	return u.Redacted()
}

// logIn tries whether the broker lets the host in.
func logIn(ctx context.Context, cfg bus.Config) error {
	ctx, cancel := context.WithTimeout(ctx, loginWithin)
	defer cancel()
	news := make(chan error, 1)
	b, err := bus.Open(cfg, bus.Options{Name: "thump-agent status", Logger: slog.New(slog.DiscardHandler), Changed: func(err error) {
		select {
		case news <- err:
		default:
		}
	}})
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	select {
	case err = <-news:
	case <-ctx.Done():
		err = ctx.Err()
	}
	cancel()
	<-ended
	return err
}

// spoolSize is what waits on disk, as far as this user may look.
func spoolSize(dir string) string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err.Error()
	}
	var total int64
	for _, e := range entries {
		if info, err := e.Info(); err == nil && strings.HasSuffix(e.Name(), ".spool") {
			total += info.Size()
		}
	}
	return config.Bytes(total).String() + " in " + dir
}
