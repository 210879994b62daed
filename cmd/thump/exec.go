package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"thump/internal/bus"
	"thump/internal/config"
	"thump/internal/control"
	"thump/internal/enrolment"
	"thump/internal/telemetry"
)

// execution is one call of `thump exec`.
type execution struct {
	desk   desk
	bus    bus.Config
	server string // URL of the collector
	asJSON bool
	ask    control.Command
	group  string
}

const (
	linkWithin  = 10 * time.Second // for the broker to be reached
	inventoryIn = 10 * time.Second
	// grace is how long answers may be on their way beyond the command's own time.
	grace = 10 * time.Second
)

// errSomeFailed is that not every host ran the command with exit code 0.
var errSomeFailed = errors.New("not every host ran it with exit code 0")

// newExec is a command that has agents run something.
func newExec() *cobra.Command {
	x := execution{bus: bus.DefaultConfig(), ask: control.Command{Timeout: config.Duration(30 * time.Second)}}
	cmd := &cobra.Command{
		Use:   "exec (--group GROUP | --host HOST | --all) -- COMMAND [ARG…]",
		Short: "Run a command on hosts whose agents allow it",
		Long: "Exec asks agents to run a command and prints what each answers, as it answers. An agent runs only what its\n" +
			"own configuration lists (agent.commands), without a shell. Every host that is known to be meant is named: with\n" +
			"its exit code, or as refused, timed out, or not connected. The exit code is 1 unless all ran it with 0.",
		Example: "  thump exec --group web -- uptime\n  thump exec --all --timeout 5s --json -- systemctl status nginx",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, argv []string) error {
			if err := config.Load(cmd.Flags(), "", os.LookupEnv, &x.bus); err != nil {
				return err
			}
			x.ask.Argv = argv
			if x.group != "" {
				x.ask.Groups = []string{x.group}
			}
			log := slog.New(&notes{w: cmd.ErrOrStderr()})
			return x.run(cmd.Context(), cmd.OutOrStdout(), log)
		},
	}
	x.desk.flag(cmd)
	f := cmd.Flags()
	f.StringVar(&x.group, "group", "", "the hosts of this group")
	f.StringVar(&x.ask.Host, "host", "", "this host")
	f.BoolVar(&x.ask.All, "all", false, "all hosts")
	f.Var(&x.ask.Timeout, "timeout", "how long the command may run; an agent may allow less")
	f.BoolVar(&x.asJSON, "json", false, "a line of JSON for each host")
	f.StringVar(&x.server, "server", "http://127.0.0.1:8420", "URL of the collector, which knows the hosts")
	cmd.MarkFlagsOneRequired("group", "host", "all")
	cmd.MarkFlagsMutuallyExclusive("group", "host", "all")
	config.Bind(f, &x.bus)
	return cmd
}

func (x *execution) run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	expected, err := x.inventory(ctx)
	if err != nil {
		return fmt.Errorf("which hosts are meant, the collector knows (--server): %w", err)
	}
	if len(expected) == 0 {
		return fmt.Errorf("%s: the collector knows no agent that is meant", x.ask.Target())
	}
	quiet := slog.New(slog.DiscardHandler)
	return withBus(ctx, x.bus, "thump-exec", quiet, func(ctx context.Context, b bus.Bus) error {
		return x.exchange(ctx, b, out, log, expected)
	})
}

// exchange asks, and shows the answers until all have come or it is too late.
func (x *execution) exchange(ctx context.Context, b bus.Bus, out io.Writer, log *slog.Logger, expected []string) error {
	ctx, cancel := context.WithTimeout(ctx, linkWithin+x.ask.Timeout.D()+grace)
	defer cancel()
	x.ask.ReplyTo = control.ReplyKey(rand.Text())
	taken := make(chan struct{}, 1)
	answers, err := b.Subscribe(ctx, bus.Subscription{
		NoAck: true, Bindings: []bus.Binding{{Source: telemetry.RequestExchange, Key: x.ask.ReplyTo}},
		Taken: func() {
			select {
			case taken <- struct{}{}:
			default:
			}
		},
	})
	if err != nil {
		return fmt.Errorf("wait for answers: %w", err)
	}
	select {
	case <-taken:
	case <-time.After(linkWithin):
		return errors.New("the broker is not reached (--bus)")
	case <-ctx.Done():
		return ctx.Err()
	}
	signed, err := x.desk.open().Sign(ctx, &x.ask)
	if err != nil {
		return fmt.Errorf("have the server sign the request: %w", err)
	}
	t := newTally(expected, &screenOf{out: out, asJSON: x.asJSON})
	if err := x.send(ctx, b, signed, expected, t); err != nil {
		return err
	}
	late := time.NewTimer(x.ask.Timeout.D() + grace)
	defer late.Stop()
	for !t.complete() {
		select {
		case d, ok := <-answers:
			if !ok {
				return ctx.Err()
			}
			if err := t.take(&d.Message, signed.Command.ID); err != nil {
				log.Warn("answer ignored", "err", err)
			}
		case <-late.C:
			t.end()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return t.result()
}

// send asks each host by its own key, so that the broker says at once who is not
// connected.
func (x *execution) send(ctx context.Context, b bus.Bus, s *enrolment.Signed, expected []string, t *tally) error {
	asked := map[string]bool{}
	for _, host := range expected {
		key := control.HostKey(host)
		if asked[key] { // of a name that shares it, whose agent has the request already
			continue
		}
		asked[key] = true
		err := b.Publish(ctx, telemetry.ControlExchange, s.Message(key))
		switch {
		case errors.Is(err, bus.ErrUnroutable):
			t.note(&control.Outcome{Host: host, State: notConnected})
		case err != nil:
			return fmt.Errorf("ask host %s: %w", host, err)
		}
	}
	return nil
}

// inventory are the hosts with an agent that are meant, by name.
func (x *execution) inventory(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, inventoryIn)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(x.server, "/")+"/api/hosts", nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", req.URL, res.Status)
	}
	var hosts []struct {
		Name  string
		Agent *struct{ Groups []string }
	}
	if err := json.NewDecoder(res.Body).Decode(&hosts); err != nil {
		return nil, fmt.Errorf("read %s: %w", req.URL, err)
	}
	var names []string
	for _, h := range hosts {
		if h.Agent != nil && x.ask.Means(h.Name, h.Agent.Groups) {
			names = append(names, h.Name)
		}
	}
	slices.Sort(names)
	return names, nil
}
