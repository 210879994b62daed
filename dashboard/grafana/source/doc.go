// Package source is the data source as Grafana sees it: one instance for each
// that is configured, which answers queries from history, follows what passes
// live, and helps the editors.
package source
