package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/prometheus/alertmanager/matcher/compat"
	"github.com/prometheus/alertmanager/pkg/labels"
	"github.com/spf13/cobra"

	"thump/alerting"
	"thump/alerting/notify"
	"thump/internal/config"
)

// alertsTimeout bounds one request; a receiver may take a while.
const alertsTimeout = 90 * time.Second

// alerts is one call of `thump alerts`.
type alerts struct {
	server string
	json   bool
}

// newAlerts is the command with its verbs.
func newAlerts() *cobra.Command {
	a := &alerts{server: "http://127.0.0.1:8420"}
	if server, ok := os.LookupEnv(config.Env("server")); ok {
		a.server = server
	}
	cmd := &cobra.Command{Use: "alerts VERB", Short: "Show, silence and acknowledge alerts, and try receivers", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.PersistentFlags().StringVar(&a.server, "server", a.server, "alerting or dashboard to ask ("+config.Env("server")+")")
	cmd.PersistentFlags().BoolVar(&a.json, "json", false, "print what the server answers")
	cmd.AddCommand(a.list(), a.history(), a.silence(), a.ack(), a.test())
	return cmd
}

func (a *alerts) list() *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List the alerts that are pending, fire, or are unknown", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var all []alerting.State
			return a.show(cmd, http.MethodGet, "/api/alerts", nil, &all, func(w io.Writer) {
				fmt.Fprintln(w, "FINGERPRINT\tSTATE\tSEVERITY\tALERT\tHOST\tSINCE\tSUMMARY")
				for _, s := range all {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.Fingerprint, stateOf(&s), s.Labels["severity"], s.Labels["alertname"],
						s.Labels["instance"], s.ActiveAt.Local().Format(time.DateTime), s.Annotations["summary"])
				}
			})
		}}
}

// stateOf is the state of an alert with what keeps it from being told.
func stateOf(s *alerting.State) string {
	words := []string{s.State}
	if s.Ack != nil {
		words = append(words, "acknowledged by "+s.Ack.By)
	}
	if s.Silenced {
		words = append(words, "silenced")
	}
	if s.Inhibited {
		words = append(words, "inhibited")
	}
	return strings.Join(words, ", ")
}

func (a *alerts) history() *cobra.Command {
	host, back := "", config.Duration(24*time.Hour)
	cmd := &cobra.Command{Use: "history", Short: "List what fired and ended", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := url.Values{"from": {time.Now().Add(-back.D()).Format(time.RFC3339)}, "host": {host}}
			var all []alerting.Change
			return a.show(cmd, http.MethodGet, "/api/alerts/history?"+q.Encode(), nil, &all, func(w io.Writer) {
				fmt.Fprintln(w, "AT\tCHANGE\tSEVERITY\tALERT\tHOST\tSUMMARY")
				for _, c := range all {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", c.At.Local().Format(time.DateTime), c.Status, c.Labels["severity"],
						c.Labels["alertname"], c.Labels["instance"], c.Annotations["summary"])
				}
			})
		}}
	cmd.Flags().StringVar(&host, "host", "", "of this host only")
	cmd.Flags().Var(&back, "range", "how far to look back")
	return cmd
}

func (a *alerts) silence() *cobra.Command {
	length, comment, by := config.Duration(time.Hour), "", login()
	cmd := &cobra.Command{Use: "silence MATCHER…", Short: "Silence the alerts that all matchers match",
		Example: "  thump alerts silence instance=web01 --duration 2h --comment 'new disk'", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			matchers, err := matchersOf(args)
			if err != nil {
				return err
			}
			now := time.Now()
			var made struct{ SilenceID string }
			ask := map[string]any{"matchers": matchers, "startsAt": now, "endsAt": now.Add(length.D()), "createdBy": by, "comment": comment}
			return a.show(cmd, http.MethodPost, "/api/v2/silences", ask, &made, func(w io.Writer) { fmt.Fprintln(w, made.SilenceID) })
		}}
	cmd.Flags().Var(&length, "duration", "how long")
	cmd.Flags().StringVar(&comment, "comment", "by thump alerts silence", "why")
	cmd.Flags().StringVar(&by, "by", by, "who")
	return cmd
}

// matchersOf are matchers in the shape of Alertmanager's API.
func matchersOf(args []string) (all []map[string]any, err error) {
	for _, s := range args {
		m, err := compat.Matcher(s, "command line")
		if err != nil {
			return nil, fmt.Errorf("matcher %s: %w", s, err)
		}
		all = append(all, map[string]any{
			"name": m.Name, "value": m.Value,
			"isRegex": m.Type == labels.MatchRegexp || m.Type == labels.MatchNotRegexp,
			"isEqual": m.Type == labels.MatchEqual || m.Type == labels.MatchRegexp,
		})
	}
	return all, nil
}

func (a *alerts) ack() *cobra.Command {
	note, by := "", login()
	cmd := &cobra.Command{Use: "ack FINGERPRINT", Short: "Say that somebody takes care of an alert: nobody is told again until it ends",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var made notify.Ack
			return a.show(cmd, http.MethodPut, "/api/alerts/acks/"+url.PathEscape(args[0]), notify.Ack{By: by, Note: note}, &made,
				func(w io.Writer) { fmt.Fprintln(w, "acknowledged by", made.By) })
		}}
	cmd.Flags().StringVar(&note, "note", "", "what is being done")
	cmd.Flags().StringVar(&by, "by", by, "who")
	return cmd
}

// errTrial is the end of a trial that failed.
var errTrial = errors.New("the receiver did not take it")

func (a *alerts) test() *cobra.Command {
	return &cobra.Command{Use: "test RECEIVER", Short: "Send a sample to a receiver of alertmanager.yml", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var trials []notify.Trial
			failed := false
			err := a.show(cmd, http.MethodPost, "/api/alerts/test/"+url.PathEscape(args[0]), nil, &trials, func(w io.Writer) {
				for _, t := range trials {
					outcome := "delivered"
					if t.Error != "" {
						outcome, failed = t.Error, true
					}
					fmt.Fprintf(w, "%s\t%.3f s\t%s\n", t.Integration, t.Seconds, outcome)
				}
				if len(trials) == 0 {
					fmt.Fprintln(w, "the receiver has no integration: it tells nobody")
				}
			})
			if err == nil && failed {
				return errTrial
			}
			return err
		}}
}

func login() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown"
}

// show asks the server and prints the answer, as a table or as it came.
func (a *alerts) show(cmd *cobra.Command, method, path string, ask, into any, table func(io.Writer)) error {
	answer, err := a.ask(cmd.Context(), method, path, ask)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("read the answer of %s: %w", a.server, err)
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 2, ' ', 0)
	if table(w); a.json {
		w = tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 2, ' ', 0)
		fmt.Fprintf(w, "%s\n", bytes.TrimSpace(answer))
	}
	return w.Flush()
}

func (a *alerts) ask(ctx context.Context, method, path string, ask any) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, alertsTimeout)
	defer cancel()
	body, err := json.Marshal(ask)
	if err != nil {
		return nil, fmt.Errorf("encode the request: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(a.server, "/")+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("--server: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask alerting: %w", err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, fmt.Errorf("ask alerting: %w", err)
	}
	if res.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%s answers %s: %s", a.server, res.Status, bytes.TrimSpace(answer))
	}
	return answer, nil
}
