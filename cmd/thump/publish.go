package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/spf13/cobra"

	"thump/internal/bus"
	"thump/internal/config"
	"thump/internal/telemetry"
)

// publish is what the user publishes, and how.
type publish struct {
	bus     bus.Config
	labels  []string // name=value
	at      string   // "" is now
	key     string   // "": publish.HOST.NAME
	stdin   bool
	timeout config.Duration
}

// newPublish is a command that publishes metrics.
func newPublish() *cobra.Command {
	p := publish{bus: bus.DefaultConfig(), timeout: config.Duration(5 * time.Second)}
	cmd := &cobra.Command{
		Use:   "publish NAME VALUE",
		Short: "Publish a metric, or those on standard input",
		Long: "Publish returns once the broker has confirmed the metric: then it is on disk in every queue\n" +
			"that is to have it. With --stdin each line is a metric, name{label=\"value\"} value [unix-ms] or JSON.\n" +
			"A negative VALUE goes behind --.",
		Example: "  thump publish orders_total 17 -l shop=7\n  thump publish --time 10m backup_bytes 3e9\n" +
			"  thump publish -l room=cellar celsius -- -4.5\n  ./measure | thump publish --stdin",
		Args: func(cmd *cobra.Command, args []string) error {
			if p.stdin {
				return cobra.NoArgs(cmd, args)
			}
			return cobra.ExactArgs(2)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := config.Load(cmd.Flags(), "", os.LookupEnv, &p.bus); err != nil {
				return err
			}
			return p.run(cmd, args)
		},
	}
	cmd.SetFlagErrorFunc(negative)
	f := cmd.Flags()
	f.StringArrayVarP(&p.labels, "label", "l", nil, "label, name=value; may be given several times")
	f.StringVar(&p.at, "time", "", "when it was measured: RFC 3339, Unix seconds, or a duration ago such as 2h (default now)")
	f.StringVar(&p.key, "key", "", "routing key (default publish.HOST.NAME)")
	f.BoolVar(&p.stdin, "stdin", false, "publish each line of standard input")
	f.Var(&p.timeout, "timeout", "how long to wait for the broker")
	config.Bind(f, &p.bus)
	return cmd
}

// negative says what to do when a VALUE was taken for flags.
func negative(_ *cobra.Command, err error) error {
	_, arg, _ := strings.Cut(err.Error(), " in ")
	if _, bad := strconv.ParseFloat(arg, 64); bad == nil {
		return fmt.Errorf("a negative VALUE goes behind --, at the end: NAME -- %s", arg)
	}
	return err
}

func (p *publish) run(cmd *cobra.Command, args []string) error {
	if p.stdin {
		if len(p.labels) > 0 || p.at != "" {
			return errors.New("--label and --time go with NAME VALUE, not with --stdin: lines have labels and times of their own")
		}
		return p.link(cmd, func(ctx context.Context, s *sender) error { return s.lines(ctx, cmd.InOrStdin()) })
	}
	series, err := p.series(args[0], args[1], time.Now())
	if err != nil {
		return err
	}
	return p.link(cmd, func(ctx context.Context, s *sender) error {
		return s.send(ctx, args[0], []metric{metricOf(&series)})
	})
}

// series is the one of the command line.
func (p *publish) series(name, value string, now time.Time) (s telemetry.Series, err error) {
	if !model.LegacyValidation.IsValidMetricName(name) {
		return s, fmt.Errorf("bad name %q: want letters, digits, _ and :, not a digit first", name)
	}
	v, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return s, fmt.Errorf("value %q is not a number", value)
	}
	at, err := moment(p.at, now)
	if err != nil {
		return s, err
	}
	s.Samples = []telemetry.Sample{{Time: at.UnixMilli(), Value: v}}
	s.Labels = []telemetry.Label{{Name: telemetry.NameLabel, Value: name}}
	for _, l := range p.labels {
		label, text, ok := strings.Cut(l, "=")
		if !ok || !model.LegacyValidation.IsValidLabelName(label) || label == telemetry.NameLabel {
			return s, fmt.Errorf("bad label %q: want name=value, the name of letters, digits and _, not a digit first", l)
		}
		s.Labels = append(s.Labels, telemetry.Label{Name: label, Value: text})
	}
	return s, s.Normalize()
}

// link gives do a sender.
func (p *publish) link(cmd *cobra.Command, do func(context.Context, *sender) error) error {
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("name of this host: %w", err)
	}
	said := &notes{w: io.Discard}
	return withBus(cmd.Context(), p.bus, "thump-publish", slog.New(said), func(ctx context.Context, b bus.Bus) error {
		return do(ctx, &sender{bus: b, notes: said, host: host, key: p.key, run: rand.Text(), timeout: p.timeout.D()})
	})
}

// sender publishes messages, one after the other.
type sender struct {
	bus     bus.Bus
	notes   *notes
	host    string
	key     string // "": publish.HOST.NAME
	run     string // names this call; with seq it names the message
	timeout time.Duration
	seq     uint64
}

// attempts at a message whose link was lost; more would hammer a broker that
// closes the link because of it.
const attempts = 3

// send returns once the broker has confirmed the metrics.
func (s *sender) send(ctx context.Context, name string, metrics []metric) error {
	m, err := s.message(name, metrics)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	for range attempts {
		if err = s.bus.Ready(ctx); err != nil {
			break
		}
		err = s.bus.Publish(ctx, telemetry.MetricsExchange, m)
		if !errors.Is(err, bus.ErrLinkLost) && !errors.Is(err, bus.ErrNotConnected) {
			break
		}
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no confirm from the broker within %v: %w", s.timeout, s.notes.reason(err))
	case errors.Is(err, bus.ErrLinkLost):
		return fmt.Errorf("publish to %s: %w", telemetry.MetricsExchange, s.notes.reason(err))
	case err != nil:
		return fmt.Errorf("publish to %s: %w", telemetry.MetricsExchange, err)
	}
	return nil
}

// message carries metrics. A repetition of it has the same ID.
func (s *sender) message(name string, metrics []metric) (*bus.Message, error) {
	body, err := json.Marshal(metrics)
	if len(metrics) == 1 {
		body, err = json.Marshal(metrics[0])
	}
	if err != nil {
		return nil, fmt.Errorf("encode metrics: %w", err)
	}
	key := s.key
	if key == "" {
		key = telemetry.Key("publish", s.host, name)
	}
	s.seq++
	return &bus.Message{
		Key: key, ContentType: telemetry.JSONContentType, Type: telemetry.MetricsType,
		ID: s.run + "-" + strconv.FormatUint(s.seq, 10), Time: time.Now(), Body: body,
	}, nil
}
