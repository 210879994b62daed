package journal

import (
	"log/slog"
	"time"

	"thump/internal/vfs"
)

// Options of a journal. The zero value is usable.
type Options struct {
	// FS is where the files are. Default vfs.OS{}.
	FS vfs.FS
	// SegmentSize is the length in bytes at which the next segment is begun. Default 64 MiB, at most 1 GiB.
	SegmentSize int64
	// MaxPending is how many bytes may be appended and not yet written: Append blocks
	// above it. Default 8 MiB.
	MaxPending int
	// NoSync leaves syncing to the operating system: Durable means written.
	NoSync bool
	// Known tells which queues still exist: at Open messages leave the others. A
	// queue id must not be used again. Default: all.
	Known func(queue uint64) bool
	// Logger takes what Open had to cut or set aside, and failures. Default: discarded.
	Logger *slog.Logger
	// CompactEvery is how often segments are looked at for compaction, which copies at most one
	// each time. Default 5 s.
	CompactEvery time.Duration
	// RetryEvery is how often a write is tried again when the disk is full. Default 250 ms.
	RetryEvery time.Duration
}

func (o *Options) setDefaults() {
	setDefault(&o.SegmentSize, 64<<20)
	setDefault(&o.MaxPending, 8<<20)
	setDefault(&o.CompactEvery, 5*time.Second)
	setDefault(&o.RetryEvery, 250*time.Millisecond)
	o.SegmentSize = min(o.SegmentSize, 1<<30)
	if o.FS == nil {
		o.FS = vfs.OS{}
	}
	if o.Known == nil {
		o.Known = func(uint64) bool { return true }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

func setDefault[T int | int64 | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}
