// Command agent measures what thump-agent costs a host, next to Debian's
// node_exporter scraped at the same interval at the same time: CPU time of the
// process and its children, resident memory, series, size of the program. The
// agent publishes to a real broker, and its series are counted in history.
package main
