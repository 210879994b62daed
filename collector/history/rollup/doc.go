// Package rollup keeps what is left of samples when they are no longer needed
// one by one: for each series and each window of five minutes or of an hour the
// least, greatest, first and last value, their sum and number, and what a
// counter lost by resets. FORMAT.md has the bytes.
//
// A Shelf holds the windows of one width in blocks that are never changed, only
// replaced. A block becomes visible by one rename, and says by the time it covers
// how far the shelf has come: so each span of time is rolled up exactly once,
// whatever kills the process in between.
package rollup
