package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"thump/internal/bus"
	"thump/internal/config"
	"thump/internal/formats"
	"thump/internal/telemetry"
)

// tail is what the user wants to see pass.
type tail struct {
	bus      bus.Config
	messages bool
	output   string
	limit    int // lines; 0: no end
}

// newTail is a command that shows metrics as they pass.
func newTail() *cobra.Command {
	t := tail{bus: bus.DefaultConfig()}
	cmd := &cobra.Command{
		Use:   "tail [KEY]",
		Short: "Show metrics as they pass",
		Long: "Tail prints a line for each sample that is published, until it is interrupted. KEY chooses by the\n" +
			"routing key group.host.probe: * is one word, # any number of them. It has a queue of its own and\n" +
			"takes nothing away from anybody; while it is slow it misses all but the newest 1,000 messages.",
		Example: "  thump tail\n  thump tail '*.web01.disk'\n  thump tail 'web.#' --messages\n  thump tail --limit 10 -o json '*.*.cpu'",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := config.Load(cmd.Flags(), "", os.LookupEnv, &t.bus); err != nil {
				return err
			}
			return t.run(cmd, append(args, "#")[0])
		},
	}
	f := cmd.Flags()
	f.BoolVar(&t.messages, "messages", false, "a line for each message instead: key, host, probe, bytes, series")
	f.StringVarP(&t.output, "output", "o", "text", "text or json")
	f.IntVar(&t.limit, "limit", 0, "end after so many lines (default: until interrupted)")
	config.Bind(f, &t.bus)
	return cmd
}

func (t *tail) run(cmd *cobra.Command, key string) error {
	switch {
	case t.output != "text" && t.output != "json":
		return fmt.Errorf("--output %q is not one of text, json", t.output)
	case t.limit < 0:
		return fmt.Errorf("--limit %d is negative", t.limit)
	case len(key) > 255: // AMQP 0-9-1 §4.2.5.3: a short string
		return fmt.Errorf("key of %d bytes, more than 255", len(key))
	}
	log := slog.New(&notes{w: cmd.ErrOrStderr()})
	return withBus(cmd.Context(), t.bus, "thump-tail", log, func(ctx context.Context, b bus.Bus) error {
		in, err := b.Subscribe(ctx, bus.Subscription{
			Args:     telemetry.Live().Args,
			Bindings: []bus.Binding{{Source: telemetry.TopicExchange, Key: key}},
			Taken:    func() { log.Info("listening", "exchange", telemetry.TopicExchange, "key", key) },
		})
		if err != nil {
			return fmt.Errorf("subscribe: %w", err)
		}
		return t.show(in, cmd.OutOrStdout(), log)
	})
}

// show writes what passes until in is closed or there are lines enough.
func (t *tail) show(in <-chan *bus.Delivery, w io.Writer, log *slog.Logger) error {
	out := bufio.NewWriter(w)
	s := &screen{tail: t, out: out, decoder: telemetry.NewDecoder(remembered, formats.All()...)}
	for d := range in {
		if err := s.delivery(d); err != nil {
			log.Warn("message cannot be read", "key", d.Key, "err", err)
		}
		ended := t.limit > 0 && s.lines == t.limit
		if len(in) == 0 || ended {
			if err := out.Flush(); err != nil {
				return fmt.Errorf("write: %w", err)
			}
		}
		if ended {
			return nil
		}
		// A lost link has taken the queue with it: there is nothing to settle.
		if err := d.Ack(false); err != nil {
			log.Debug("acknowledgement failed", "err", err)
		}
	}
	return out.Flush()
}

// remembered is how many series the decoder knows again.
const remembered = 100_000
