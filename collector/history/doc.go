// Package history keeps samples in a Prometheus TSDB and answers PromQL over
// them.
//
// What it adds to the TSDB is care for the moment when the disk does not take
// what is written. A failed write may leave half a record in the log, and the
// TSDB goes on writing behind it; a later replay stops there and drops what
// follows. So after a failed write nothing more is appended until Restore has
// opened the TSDB anew, which repairs the log. Each opening is a generation;
// queries hold on to the one they began with.
package history
