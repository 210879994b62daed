package telemetry

import "thump/internal/bus"

// Where the agents of others publish.
const (
	TelegrafExchange = "telegraf"       // topic: where Telegraf's amqp output publishes
	TelegrafQueue    = "thump.telegraf" // all of it
	OTLPQueue        = "otlp_metrics"   // where OpenTelemetry's rabbitmq exporter publishes
)

// Fleets is what agents of others expect on a broker, so that they can publish as
// they do already. The queue of OpenTelemetry has no arguments: whoever has made
// it by hand has made the same.
func Fleets() bus.Topology {
	return bus.Topology{
		Exchanges: []bus.Exchange{{Name: TelegrafExchange, Kind: "topic"}},
		Queues:    []bus.Queue{{Name: TelegrafQueue}, {Name: OTLPQueue}},
		Bindings:  []bus.Binding{{Source: TelegrafExchange, Key: "#", Destination: TelegrafQueue}},
	}
}
