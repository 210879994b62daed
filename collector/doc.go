// Package collector is the third stage: it consumes the queue thump.history,
// keeps the samples in a TSDB and answers for them over the Prometheus HTTP API.
//
//	thump.history ──► ingest ──► history.DB ──► promapi ──► /api/v1/…
//	                     │           ▲
//	                     └► hosts ───┘ up 0     ──────────► /api/hosts
//
// The promise: a message is acknowledged once its samples are on stable storage,
// and one that comes again adds nothing.
package collector
