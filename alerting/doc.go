// Package alerting is the third stage beside history: it consumes its own copy
// of every batch, evaluates rules when data arrives, and tells people.
//
//	thump.alerting ─► ingest ─► store ─► rules ─► notify ─► receivers
//	                    │                  ▲         └────► thump.alerts
//	                    └── roster: up = 0 ┘
//
// ingest keeps what the rules read in store and wishes for an evaluation of the
// groups that read it; rules evaluates; notify remembers what fires, routes and
// sends. Each is a loop of its own that Run starts and waits for.
package alerting
