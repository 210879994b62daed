// Package journal is the broker's disk: one append-only log of messages shared by all
// durable queues of a vhost. It knows ids, queue ids and bytes, nothing of AMQP.
//
// # Model
//
// Append writes a message once, for all the queues that it was routed to, and returns
// its id. Appends only copy into memory; one goroutine, the syncer, writes what has
// gathered with one write and one fdatasync, and advances Durable: group commit without
// a timer. Done takes a message out of a queue; when it has left all of them it is dead.
//
// The log is a sequence of segments, files written once from front to back. In memory
// stay, per message, its offset and which of its queues still have it: ten bytes. A
// segment in which nothing is alive is removed at once. One in which little is alive,
// because one slow queue holds stragglers, is compacted: what is alive is copied to the
// head of the log, under its old id, and the segment removed.
//
// # What may be removed when
//
// A record on disk comes back to life at the next Open unless a done record says that it
// is dead. Hence four rules, kept by reclaim.go:
//
//  1. A segment is removed only when no message is alive in it, and the copies of those that
//     compaction moved are durable.
//
//  2. A done record is on disk for as long as a copy of its message that it killed: the
//     segment counts, per segment that holds such messages, its done records (refs), and
//     is removed after those segments. Compaction copies done records that are still needed.
//
//  3. A segment that holds newer copies of the messages of an older one (shadows) is
//     removed after it: done records name only the newer copy in refs.
//
//  4. Of what Returned noted, the newest record of each message that is still in the queue stays (notes);
//     compaction writes it again.
//
// Ids are never given twice: the newest segment, whose name says the first id that was
// free when it was made, stays until a newer one is on disk.
//
// FORMAT.md draws the bytes and says what survives which damage.
package journal
