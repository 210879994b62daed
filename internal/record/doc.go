// Package record frames what is appended to a file so that a reader can tell
// records from damage: a head with a checksum of its own, then meta, then body,
// each with theirs.
//
//	 0        4      5        8          12         16         20
//	┌────────┬──────┬────────┬──────────┬──────────┬──────────┬────────┬────────┐
//	│head sum│ kind │len meta│ len body │ meta sum │ body sum │ meta … │ body … │
//	│ u32    │ u8   │ u24    │ u32      │ u32      │ u32      │        │        │
//	└────────┴──────┴────────┴──────────┴──────────┴──────────┴────────┴────────┘
//
// Integers are little-endian, sums are CRC32C. The head sum covers bytes 4 to 20 and
// starts from the file's seed, a random number that the file's owner keeps with
// the file: a payload that happens to be, or is made to look like, a record is not
// mistaken for one when a reader looks for the next record behind damage. A kind is never
// 0, so zeros, as in space that was reserved and not yet written, are no record.
//
// A reader that needs only kinds and metas skips bodies without reading them.
package record
