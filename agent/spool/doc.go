// Package spool keeps the agent's batches on disk until the broker has confirmed
// them: bounded, oldest dropped first, open again after a crash at any point.
//
// A batch is in one of three states. It is taken from Append on, since whoever
// appends it is about to publish it, and after Next; it is waiting after Release
// or when the spool is opened; it is gone after Done.
//
// What can be lost:
//   - When the process is killed: nothing that Append has returned for, unless the
//     disk was full at that time.
//   - When the power fails: what was appended since the last Sync, which the owner
//     calls a second after a batch was appended, if by then it is not done. So a
//     batch that the broker confirms at once is never synced. A lost done mark
//     makes a batch be published again.
//   - When the disk does not take a batch: it is kept in memory, the newest
//     memoryBatches of them, and is lost when the process ends.
//
// The bytes on disk are described in FORMAT.md.
package spool
