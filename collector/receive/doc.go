// Package receive is the collector's way in for everybody who is not an agent of
// ours: Remote-Write 1.0 and 2.0, OTLP, Influx and Pushgateway over HTTP, and the
// queues that Telegraf's and OpenTelemetry's exporters publish to.
//
//	HTTP request ──► format ──► publisher ──► thump.metrics ──► history, alerting, dashboards
//	thump.telegraf, otlp_metrics ──► format ──┘      │
//	             ◄── answer, acknowledgement ────────┘ after the broker's confirm
//
// Nothing is written to history from here: every sample goes over the bus, as
// Remote-Write 2.0, so that whoever subscribes sees it. What is sent again after
// an answer that did not come has the same times and values, and adds nothing.
package receive
