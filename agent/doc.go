// Package agent is the first stage: it runs on every host, measures it by the
// probes that its template names, and publishes what they read.
//
//	probe ─► outbox ─► spool ─► publisher ─► bus
//	          encode     disk     fresh first, then the backlog
//
// A batch is one run of one probe. It is in the spool before it is published and
// leaves it on the broker's confirm, so that neither a broker that is away nor an
// end of the agent loses it; package spool says what a power cut can.
package agent
