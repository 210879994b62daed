// Package telemetry is the language that the parts of the pipeline share: the
// names of exchanges and queues, routing keys, and the batch of samples that a
// message carries.
package telemetry

import (
	"strings"

	"thump/internal/bus"
)

// Exchanges and queues of the pipeline.
const (
	MetricsExchange = "thump.metrics"       // fanout: every batch to every full subscriber
	TopicExchange   = "thump.metrics.topic" // topic: the same batches by group.host.probe
	AlertsExchange  = "thump.alerts"        // topic: severity.alertname.host
	// ControlExchange is where agents obey: host.NAME, group.NAME, all, reply.ID; see
	// internal/control. It is a topic exchange though nobody uses patterns: only on
	// such a one can the broker hold a user to the keys that are its own.
	ControlExchange = "thump.control"
	// RequestExchange takes what agents ask (direct). It is apart from the control
	// exchange so that an agent needs no right to write where agents obey.
	RequestExchange = "thump.requests"
	// EnrolmentExchange takes what those ask who hold a token and nothing else (direct).
	EnrolmentExchange = "thump.enrolment"

	HistoryQueue  = "thump.history"
	AlertingQueue = "thump.alerting"
	RejectedQueue = "thump.rejected"  // what a subscriber could not decode
	TemplateQueue = "thump.templates" // agents that report and ask for their template
)

// Topology is everything the pipeline needs on a broker.
func Topology() bus.Topology {
	deadLetter := bus.Args{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": RejectedQueue}
	return bus.Topology{
		Exchanges: []bus.Exchange{
			{Name: MetricsExchange, Kind: "fanout"},
			{Name: TopicExchange, Kind: "topic"},
			{Name: AlertsExchange, Kind: "topic"},
			{Name: ControlExchange, Kind: "topic"},
			{Name: RequestExchange, Kind: "direct"},
			{Name: EnrolmentExchange, Kind: "direct"},
		},
		Queues: []bus.Queue{
			{Name: HistoryQueue, Args: deadLetter},
			{Name: AlertingQueue, Args: deadLetter},
			// Bounded: an agent that gets no answer asks again.
			{Name: TemplateQueue, Args: bus.Args{"x-max-length": int32(20_000), "x-overflow": "drop-head"}},
			// Bounded, since nobody consumes it: the oldest rejected message goes first.
			{Name: RejectedQueue, Args: bus.Args{"x-max-length": int32(10_000), "x-overflow": "drop-head"}},
		},
		Bindings: []bus.Binding{
			{Source: MetricsExchange, Destination: HistoryQueue},
			{Source: MetricsExchange, Destination: AlertingQueue},
			{Source: MetricsExchange, Destination: TopicExchange, ToExchange: true},
			{Source: RequestExchange, Key: TemplateQueue, Destination: TemplateQueue},
		},
	}
}

// Live is the subscription of whoever shows metrics as they pass: a queue of its
// own that keeps at most the newest 1,000 messages while the reader is slow.
func Live() bus.Subscription {
	return bus.Subscription{
		Args:     bus.Args{"x-max-length": int32(1000), "x-overflow": "drop-head"},
		Bindings: []bus.Binding{{Source: MetricsExchange}},
	}
}

// Key is the routing key of a batch: group.host.probe.
func Key(group, host, probe string) string {
	return Word(group) + "." + Word(host) + "." + Word(probe)
}

// Word turns a name into one word of a routing key: every character outside
// [A-Za-z0-9_-] becomes an underscore.
func Word(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '-':
			return r
		}
		return '_'
	}, name)
}
