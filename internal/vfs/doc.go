// Package vfs is the seam between what must be on disk and the disk: the few
// file operations that thump's journal and spool need, small enough that package
// faulty can fail each of them, before or after it took effect, and can cut
// the power in between.
//
// Nothing here is atomic except Rename. Data are durable after File.Sync; a new,
// renamed or removed name is durable after FS.SyncDir of its folder.
package vfs
