// Package differential gives the same samples to Debian's Prometheus and to
// thump, asks both the same over HTTP, and compares the answers.
//
// It runs with THUMP_LONG_TESTS=1. THUMP_SEED=N generates other expressions than
// the usual ones, and THUMP_SEED=random says which seed it took. THUMP_PROMETHEUS
// names another program than Debian's, to which every answer must be the same.
package differential
