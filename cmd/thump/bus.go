package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"thump/alerting"
	"thump/internal/bus"
	"thump/internal/config"
	"thump/internal/telemetry"
)

// setupWithin is the time for the broker to answer.
const setupWithin = 30 * time.Second

// newBus groups what is done to a broker that thump does not run itself.
func newBus() *cobra.Command {
	cmd := &cobra.Command{Use: "bus", Short: "Prepare a RabbitMQ or a Redis for the pipeline"}
	cmd.AddCommand(newBusSetup())
	return cmd
}

func newBusSetup() *cobra.Command {
	cfg, show, vhost := bus.DefaultConfig(), false, "/"
	cmd := &cobra.Command{
		Use:   "setup",
		Short: "Declare the exchanges, queues and bindings of the pipeline",
		Long: "Setup declares everything that the parts of the pipeline need on a broker, so that their logins need not be\n" +
			"allowed to: give those --bus-passive. With --print it writes a RabbitMQ definitions file instead, for\n" +
			"rabbitmqctl import_definitions. Users and permissions are the operator's: docs/bus.md lists what each part needs.",
		Example: "  thump bus setup --bus amqp://admin:secret@rabbit:5672/ --bus-queue-type quorum\n  thump bus setup --print --bus-queue-type quorum >thump.json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := config.Load(cmd.Flags(), "", os.LookupEnv, &cfg); err != nil {
				return err
			}
			if show {
				return printDefinitions(cmd.OutOrStdout(), pipelineTopology().WithType(cfg.QueueType), vhost)
			}
			return setUp(cmd, cfg)
		},
	}
	cmd.Flags().BoolVar(&show, "print", false, "print a RabbitMQ definitions file and declare nothing")
	cmd.Flags().StringVar(&vhost, "vhost", vhost, "virtual host in the definitions file")
	config.Bind(cmd.Flags(), &cfg)
	return cmd
}

// pipelineTopology is what all parts together declare.
func pipelineTopology() bus.Topology {
	alerts := alerting.DefaultConfig()
	return join(telemetry.Topology(), telemetry.Fleets(), alerts.Topology())
}

// setUp declares the topology: connecting does it.
func setUp(cmd *cobra.Command, cfg bus.Config) error {
	log := &notes{w: cmd.ErrOrStderr()}
	return withTopology(cmd.Context(), cfg, pipelineTopology(), "thump-setup", slog.New(log), func(ctx context.Context, b bus.Bus) error {
		ctx, cancel := context.WithTimeout(ctx, setupWithin)
		defer cancel()
		if err := b.Ready(ctx); err != nil {
			return fmt.Errorf("not declared within %v: %w", setupWithin, log.reason(err))
		}
		_, err := fmt.Fprintln(cmd.OutOrStdout(), "declared")
		return err
	})
}

// object is one thing in a definitions file.
type object map[string]any

// printDefinitions writes a topology as RabbitMQ imports it.
func printDefinitions(w io.Writer, t bus.Topology, vhost string) error {
	exchanges, queues, bindings := []object{}, []object{}, []object{}
	for _, e := range t.Exchanges {
		exchanges = append(exchanges, object{
			"name": e.Name, "vhost": vhost, "type": e.Kind, "durable": true, "auto_delete": false, "internal": false, "arguments": arguments(e.Args),
		})
	}
	for _, q := range t.Queues {
		queues = append(queues, object{"name": q.Name, "vhost": vhost, "durable": true, "auto_delete": false, "arguments": arguments(q.Args)})
	}
	for _, b := range t.Bindings {
		kind := "queue"
		if b.ToExchange {
			kind = "exchange"
		}
		bindings = append(bindings, object{
			"source": b.Source, "vhost": vhost, "destination": b.Destination, "destination_type": kind, "routing_key": b.Key, "arguments": object{},
		})
	}
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	return out.Encode(object{"vhosts": []object{{"name": vhost}}, "exchanges": exchanges, "queues": queues, "bindings": bindings})
}

// arguments are never null in a definitions file.
func arguments(a bus.Args) bus.Args {
	if a == nil {
		return bus.Args{}
	}
	return a
}
