// Package formats reads what others publish: Remote-Write 1.0, Influx line
// protocol, the Prometheus and OpenMetrics text formats, and OTLP metrics. It is
// apart from package telemetry to keep that one, and with it the agent, small.
//
// What a format says and a series of floats cannot, such as a string or a native
// histogram, is counted by reason; the rest of the body is kept.
package formats
