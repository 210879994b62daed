// Package check runs what a template asks of a host besides its probes: a plugin
// or script, an exporter to scrape, an endpoint, a process, a file. A check is a
// probe.Probe that also gives a state, ok to unknown as Nagios numbers them.
//
// A kind is one file with one runner; kinds is the one list of them. Nothing here
// is unbounded: time, output, series, label values and concurrency all have a
// limit, and what goes over it makes the check unknown rather than less.
package check
