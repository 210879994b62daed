package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"thump/collector/history"
	"thump/internal/config"
)

// newHistory is the command that copies and checks what the collector keeps.
func newHistory() *cobra.Command {
	cmd := &cobra.Command{Use: "history", Short: "Back up, restore and verify history"}
	cmd.AddCommand(newBackup(), newRestore(), newVerify())
	return cmd
}

func newBackup() *cobra.Command {
	server, data := "", ""
	cmd := &cobra.Command{
		Use:   "backup FOLDER",
		Short: "Copy the history of the running collector",
		Long: "Backup lets the collector write a snapshot, which costs it little, copies it to FOLDER, reads the\n" +
			"copy to the last byte, and removes the snapshot. It runs on the collector's host, which must have\n" +
			"been started with --admin-api.",
		Example: "  thump history backup /backup/history-$(date +%F)",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return backup(cmd.Context(), cmd.OutOrStdout(), server, filepath.Join(data, "history"), args[0])
		},
	}
	cmd.Flags().StringVar(&server, "server", variable("server", "http://127.0.0.1:8420"), "URL of the collector ("+config.Env("server")+")")
	bindData(cmd, &data)
	return cmd
}

func newRestore() *cobra.Command {
	data := ""
	cmd := &cobra.Command{
		Use:     "restore BACKUP",
		Short:   "Put a backup into an empty data folder, while the collector is stopped",
		Example: "  thump history restore /backup/history-2026-11-25 --data-dir /var/lib/thump",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			to := filepath.Join(data, "history")
			if err := history.Vacant(to); err != nil {
				return err
			}
			if err := verify(cmd.Context(), io.Discard, args[0]); err != nil {
				return fmt.Errorf("nothing is restored: %w", err)
			}
			if err := os.MkdirAll(data, 0o700); err != nil {
				return fmt.Errorf("data folder (--data-dir): %w", err)
			}
			if err := history.Copy(args[0], to); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: restored\n", to)
			return nil
		},
	}
	bindData(cmd, &data)
	return cmd
}

func newVerify() *cobra.Command {
	data := ""
	cmd := &cobra.Command{
		Use:   "verify [FOLDER]",
		Short: "Read every block, roll-up and log of a backup, or of a stopped collector's data folder",
		Long: "Verify reads all of it, with checksums, and says of each part what is in it or what is wrong. The exit\n" +
			"code is 1 if anything is. Without FOLDER it reads the folder history in --data-dir.",
		Example: "  thump history verify /backup/history-2026-11-25",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return verify(cmd.Context(), cmd.OutOrStdout(), append(args, filepath.Join(data, "history"))[0])
		},
	}
	bindData(cmd, &data)
	return cmd
}

func bindData(cmd *cobra.Command, data *string) {
	cmd.Flags().StringVar(data, "data-dir", variable("data-dir", "data"), "folder for everything that is kept ("+config.Env("data-dir")+")")
}

// variable is the environment's value of a flag, or else its default.
func variable(flag, or string) string {
	if v := os.Getenv(config.Env(flag)); v != "" {
		return v
	}
	return or
}

// verify prints a line for each part; the error says how many are bad, and of a
// bad one what is wrong.
func verify(ctx context.Context, out io.Writer, dir string) error {
	parts := 0
	var faults []error
	err := history.Verify(ctx, dir, func(p history.Part) {
		parts++
		if len(p.Faults) == 0 {
			fmt.Fprintf(out, "%s: sound, %s\n", p.Name, p.About)
			return
		}
		faults = append(faults, fmt.Errorf("%s: %w", filepath.Join(dir, p.Name), errors.Join(p.Faults...)))
	})
	if err == nil && len(faults) > 0 {
		err = fmt.Errorf("%d of %d parts of %s cannot be read:\n%w", len(faults), parts, dir, errors.Join(faults...))
	}
	return err
}

// backup copies a snapshot of the history in dir, which the server at a URL keeps.
func backup(ctx context.Context, out io.Writer, server, dir, to string) (err error) {
	if err := history.Vacant(to); err != nil {
		return err
	}
	name, err := snapshot(ctx, server)
	if err != nil {
		return err
	}
	from := filepath.Join(dir, "snapshots", name)
	if _, err := os.Stat(from); err != nil {
		return fmt.Errorf("the collector at %s made snapshot %s, but not in this data folder (is --data-dir right, and is this its host?): %w", server, name, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(from)) }()
	if err := history.Copy(from, to); err != nil {
		return err
	}
	if err := verify(ctx, out, to); err != nil {
		return fmt.Errorf("the backup is not good: %w", err)
	}
	fmt.Fprintf(out, "%s: complete\n", to)
	return nil
}

// snapshot asks a collector for one and returns its name.
func snapshot(ctx context.Context, server string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(server, "/")+"/api/v1/admin/tsdb/snapshot", nil)
	if err != nil {
		return "", fmt.Errorf("--server: %w", err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", fmt.Errorf("ask the collector for a snapshot: %w", err)
	}
	defer response.Body.Close()
	var answer struct {
		Error string
		Data  struct{ Name string }
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return "", fmt.Errorf("%s is no collector: it answers %s", server, response.Status)
	}
	switch {
	case strings.Contains(answer.Error, "admin APIs disabled"):
		return "", fmt.Errorf("the collector at %s may not write snapshots: start it with --admin-api (collector.admin_api)", server)
	case answer.Error != "" || answer.Data.Name == "":
		return "", fmt.Errorf("the collector at %s wrote no snapshot: %s", server, answer.Error)
	}
	return answer.Data.Name, nil
}
