// Package forward sends what history takes to other engines by remote-write. It
// reads the log of the TSDB, as the queues of Prometheus's own remote-write do,
// and therefore never holds up who appends. Unlike those it keeps its position on
// disk and goes on from there: what came while the other engine, or this process,
// was away is sent, and so are samples that come late.
package forward
