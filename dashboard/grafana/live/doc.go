// Package live goes on with a panel where history ends: it evaluates the panel's
// PromQL over the samples that pass on thump.metrics.topic, as they pass. Each
// watched path has an exclusive queue of its own, named by the broker and bound
// with the panel's key; all of them share one connection, which is there while
// anybody watches.
package live
