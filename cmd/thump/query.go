package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/spf13/cobra"

	"thump/internal/config"
)

// errNoData is the end of a query that found nothing: exit code 2.
var errNoData = errors.New("no data")

// query is what the user asks of history.
type query struct {
	server  string
	output  string
	span    config.Duration // how far back; zero asks for one moment
	step    config.Duration // zero: as many points as a terminal is wide
	at      string          // "" is now
	timeout config.Duration
}

// newQuery is a command that asks a collector, or any Prometheus.
func newQuery() *cobra.Command {
	q := query{server: "http://127.0.0.1:8420", timeout: config.Duration(30 * time.Second)}
	if server, ok := os.LookupEnv(config.Env("server")); ok {
		q.server = server
	}
	cmd := &cobra.Command{
		Use:   "query EXPR",
		Short: "Ask history in PromQL: a table, a plot, CSV or JSON",
		Long: "Query evaluates a PromQL expression. The exit code is 0 if there is data, 1 after an error,\n" +
			"and 2 if there is no data.",
		Example: "  thump query 'up == 0'\n  thump query --range 6h 'node_load1{instance=\"web01\"}'\n  thump query --output csv --range 1d --step 5m node_load1",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return q.run(cmd, args[0])
		},
	}
	f := cmd.Flags()
	f.StringVar(&q.server, "server", q.server, "collector, dashboard or Prometheus to ask ("+config.Env("server")+")")
	f.StringVarP(&q.output, "output", "o", "", "table, plot, csv or json (default table, or plot of a range)")
	f.Var(&q.span, "range", "how far to look back, for example 1h; without it the value of one moment")
	f.Var(&q.step, "step", "time between two points of a range (default 1/80 of the range)")
	f.StringVar(&q.at, "time", "", "moment, or end of the range: RFC 3339, Unix seconds, or a duration ago such as 2h (default now)")
	f.Var(&q.timeout, "timeout", "how long the query may take")
	return cmd
}

func (q *query) run(cmd *cobra.Command, expr string) error {
	write, err := q.writer()
	if err != nil {
		return err
	}
	at, err := moment(q.at, time.Now())
	if err != nil {
		return err
	}
	client, err := api.NewClient(api.Config{Address: q.server, Client: &http.Client{}})
	if err != nil {
		return fmt.Errorf("--server: %w", err)
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), q.timeout.D())
	defer cancel()
	answer, warnings, err := q.ask(ctx, v1.NewAPI(client), expr, at)
	if err != nil {
		return fmt.Errorf("query %s: %w", q.server, err)
	}
	for _, w := range warnings {
		cmd.PrintErrln("warning:", w)
	}
	if err := write(cmd.OutOrStdout(), answer); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	if empty(answer) {
		return errNoData
	}
	return nil
}

// points is how many a range has unless the user says: what a terminal shows.
const points = 80

func (q *query) ask(ctx context.Context, history v1.API, expr string, at time.Time) (model.Value, v1.Warnings, error) {
	if q.span == 0 {
		return history.Query(ctx, expr, at)
	}
	step := q.step.D()
	if step == 0 {
		step = max(q.span.D()/points, time.Second).Round(time.Second)
	}
	return history.QueryRange(ctx, expr, v1.Range{Start: at.Add(-q.span.D()), End: at, Step: step})
}

func empty(v model.Value) bool {
	switch v := v.(type) {
	case model.Vector:
		return len(v) == 0
	case model.Matrix:
		return len(v) == 0
	}
	return false
}

// moment reads a time as the user gives it.
func moment(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return now, nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	if seconds, err := strconv.ParseFloat(s, 64); err == nil {
		return time.UnixMilli(int64(seconds * 1000)), nil
	}
	var ago config.Duration
	if err := ago.Set(s); err != nil {
		return now, fmt.Errorf("--time %q is neither RFC 3339 nor Unix seconds nor a duration", s)
	}
	return now.Add(-ago.D()), nil
}
