package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"thump/agent"
	"thump/alerting/notify"
	"thump/alerting/rules"
	"thump/collector/templates"
	"thump/internal/config"
	"thump/internal/logging"
)

// newCheck is a command that validates files.
func newCheck() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE…",
		Short: "Validate configuration, alert rules, alertmanager.yml and templates",
		Long: "Check reads each file as the part does that it is for: thump's configuration, Prometheus rules\n" +
			"(groups), an alertmanager.yml (route, receivers), or a template (match, probes, checks).\n" +
			"The exit code is 1 if any file is bad.",
		Example: "  thump check configs/thump.yaml rules/*.yml alertmanager.yml templates/*.yaml",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			return checkFiles(cmd.OutOrStdout(), cmd.ErrOrStderr(), files)
		},
	}
}

// checkFiles says of each file that it is valid, or what is wrong with it.
func checkFiles(out, errs io.Writer, files []string) error {
	bad := 0
	for _, file := range files {
		file = filepath.Clean(file)
		kind, err := checkFile(file)
		w, text := out, file+": valid "+kind
		if err != nil {
			bad++
			w, text = errs, located(file, err)
		}
		if _, err := fmt.Fprintln(w, text); err != nil {
			return fmt.Errorf("write the answer: %w", err)
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d files bad", bad, len(files))
	}
	return nil
}

// checkFile has the part read the file that it is for.
func checkFile(file string) (kind string, err error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return "", errors.Unwrap(err) // the file's name stands before it
	}
	keys, err := topKeys(content)
	if err != nil {
		return "", err
	}
	log := slog.New(slog.DiscardHandler)
	switch {
	case keys["groups"]:
		return "alert rules", rules.Check(file, content, log)
	case keys["route"] || keys["receivers"]:
		return "alertmanager configuration", notify.Check(file, log)
	case keys["match"] || keys["probes"] || keys["checks"]:
		return "template", checkTemplate(file, content)
	}
	return "configuration", checkConfig(file)
}

// topKeys are the keys of a YAML file by which it is recognized.
func topKeys(content []byte) (map[string]bool, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(content, &doc); err != nil {
		return nil, err
	}
	keys := map[string]bool{}
	for _, root := range doc.Content {
		if root.Kind != yaml.MappingNode {
			return nil, fmt.Errorf("line %d: want keys and values", root.Line)
		}
		for i := 0; i < len(root.Content); i += 2 {
			keys[root.Content[i].Value] = true
		}
	}
	return keys, nil
}

func checkTemplate(file string, content []byte) error {
	var all []error
	for _, p := range templates.Check(file, content, agent.CheckTemplate) {
		all = append(all, p)
	}
	return errors.Join(all...)
}

func checkConfig(file string) error {
	cfg := DefaultConfig()
	if err := config.ReadFile(file, &cfg); err != nil {
		return err
	}
	cfg.Broker.DataDir, cfg.Collector.DataDir = cfg.Process.DataDir, cfg.Process.DataDir
	_, err := logging.New(io.Discard, cfg.Process.Log)
	return errors.Join(err, cfg.Broker.Validate(), cfg.Collector.Validate())
}

// Of the errors of the parts: how they begin, with the file, quoted, for %s; the
// line that they name, which is 0 if they know none; an unknown key.
const beginning = `^(?:(?:(?:alertmanager )?configuration|rule file) )?%s:\s?`

var (
	place   = regexp.MustCompile(`^(?:yaml:\s*)?(?:line (\d+)|(\d+)(?::\d+)?): `)
	unknown = regexp.MustCompile(`^field (\S+) not found in type \S+$`)
)

// located says an error as file:line: reason, a line for each, whichever part it
// comes from.
func located(file string, err error) string {
	begin := regexp.MustCompile(fmt.Sprintf(beginning, regexp.QuoteMeta(file)))
	lines := strings.Split(strings.ReplaceAll(err.Error(), "unmarshal errors:\n", ""), "\n")
	for i, l := range lines {
		l = begin.ReplaceAllString(strings.TrimSpace(l), "")
		where := file
		if m := place.FindStringSubmatch(l); m != nil {
			l = unknown.ReplaceAllString(l[len(m[0]):], `unknown key "$1"`)
			if n := m[1] + m[2]; n != "0" {
				where += ":" + n
			}
		}
		lines[i] = where + ": " + l
	}
	return strings.Join(lines, "\n")
}
