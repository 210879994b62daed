// Package history answers what a panel asks of the past: PromQL over the
// collector's Prometheus HTTP API, in Grafana's data frames. A query has the
// fields, and is understood the way, of Grafana's own Prometheus data source, so
// that a panel may change between the two.
package history
