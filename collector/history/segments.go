package history

import (
	"errors"
	"fmt"
	"os"

	"github.com/prometheus/prometheus/tsdb/wlog"

	"thump/internal/vfs"
)

// segmentLog brings one of the TSDB's logs to stable storage. The TSDB writes
// each commit to its current segment and syncs a segment only when it is full,
// in the background; syncing is not in its interface, but any file descriptor
// of the same file does it.
//
// It has a segment open from soon after its creation, since a write error is
// reported by Sync only to files that were open before somebody else was told.
type segmentLog struct {
	fs   vfs.FS
	dir  string
	last int      // number of the newest segment synced so far
	file vfs.File // that segment
}

func openLog(fs vfs.FS, dir string) (*segmentLog, error) {
	l := &segmentLog{fs: fs, dir: dir, last: -1}
	if err := l.sync(); err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

// sync returns when all that was written before is on stable storage.
func (l *segmentLog) sync() error {
	if l.file != nil {
		if err := l.file.Sync(); err != nil {
			return fmt.Errorf("sync segment %d: %w", l.last, err)
		}
	}
	first, last, err := wlog.Segments(l.dir)
	if err != nil {
		return fmt.Errorf("list segments: %w", err)
	}
	if last == l.last {
		return nil
	}
	for i := max(first, l.last+1); i <= last; i++ {
		if err := l.advance(i); err != nil {
			return err
		}
	}
	if err := l.fs.SyncDir(l.dir); err != nil {
		return fmt.Errorf("sync folder of segments: %w", err)
	}
	return nil
}

// advance makes segment i the last one, synced. One that is gone by now was
// replaced by a checkpoint, which the TSDB synced before.
func (l *segmentLog) advance(i int) error {
	f, err := l.fs.Open(wlog.SegmentName(l.dir, i))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open segment: %w", err)
	}
	if err := errors.Join(f.Sync(), l.close()); err != nil {
		return errors.Join(fmt.Errorf("sync segment %d: %w", i, err), f.Close())
	}
	l.last, l.file = i, f
	return nil
}

func (l *segmentLog) close() error {
	if l.file == nil {
		return nil
	}
	f := l.file
	l.file = nil
	return f.Close()
}
