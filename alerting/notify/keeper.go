package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"thump/internal/vfs"
)

// snapshot is a file with a copy of something in memory.
type snapshot struct {
	path  string
	write func(io.Writer) (int64, error)
	dirty atomic.Bool // the file is older than the memory
}

func (s *snapshot) save() error {
	if !s.dirty.Swap(false) {
		return nil
	}
	var b bytes.Buffer
	_, err := s.write(&b)
	if err == nil {
		err = vfs.WriteFile(vfs.OS{}, s.path, b.Bytes())
	}
	if err != nil {
		s.dirty.Store(true)
		return fmt.Errorf("save %s: %w", s.path, err)
	}
	return nil
}

// keeper writes snapshots as soon as what they copy has changed, so that also
// after a kill nobody is told twice and no silence is lost.
type keeper struct {
	snapshots []*snapshot
	changed   chan struct{} // holds one wake-up
}

const (
	keeperPause = 100 * time.Millisecond // between two writes, at least
	keeperRetry = 5 * time.Second        // after one that failed
)

// add makes path a copy of what write writes; the function returned says that it changed.
func (k *keeper) add(path string, write func(io.Writer) (int64, error)) (changed func()) {
	s := &snapshot{path: path, write: write}
	k.snapshots = append(k.snapshots, s)
	return func() {
		s.dirty.Store(true)
		k.wake()
	}
}

func (k *keeper) wake() {
	select {
	case k.changed <- struct{}{}:
	default: // the wake-up that waits is for this change too
	}
}

// run writes until ctx ends.
func (k *keeper) run(ctx context.Context, log *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.changed:
		}
		pause := keeperPause
		if err := k.save(); err != nil {
			log.Error("state of notifications not saved, trying again", "err", err, "in", keeperRetry)
			pause = keeperRetry
			k.wake()
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// save writes what has changed.
func (k *keeper) save() error {
	var all []error
	for _, s := range k.snapshots {
		all = append(all, s.save())
	}
	return errors.Join(all...)
}
