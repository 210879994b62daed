package rollup

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
)

// steady is a source of one series, 1 in every window.
type steady struct {
	from, to, width int64
	begun           bool
}

func (s *steady) symbols(context.Context) ([]string, error) { return []string{"__name__", "a"}, nil }
func (s *steady) next() bool                                { first := !s.begun; s.begun = true; return first }
func (s *steady) labels() labels.Labels                     { return labels.FromStrings("__name__", "a") }
func (s *steady) err() error                                { return nil }
func (s *steady) close() error                              { return nil }

func (s *steady) windows() (all []Window, err error) {
	for end := endOf(s.from+1, s.width); end <= s.to; end += s.width {
		w := tally{Window: Window{End: end}}
		w.add(end, 1)
		all = append(all, w.window())
	}
	return all, nil
}

// TestUnreadableBlockIsNotJoined spoils a chunk of one block before the day is
// full: the blocks of that day stay apart and whole, those of the next are joined.
func TestUnreadableBlockIsNotJoined(t *testing.T) {
	dir, failed := t.TempDir(), 0
	s, err := Open(dir, Options{
		Width: 5 * time.Minute, Spans: []time.Duration{4 * time.Hour, 24 * time.Hour}, Logger: slog.New(slog.DiscardHandler),
		SetAside: func(dir string, cause error) error { t.Errorf("%s set aside: %v", dir, cause); return nil }, Unreadable: func() { failed++ },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	day := int64(24 * time.Hour / time.Millisecond)
	climb := func(until int64) {
		t.Helper()
		open := func(from, to int64) (source, error) { return &steady{from: from, to: to, width: s.width}, nil }
		if err := s.climb(t.Context(), day, until, open); err != nil {
			t.Fatal(err)
		}
	}
	climb(day + day/2)
	spoilChunk(t, filepath.Join(dir, s.Metas()[1].ULID.String(), "chunks", "000001"))
	climb(3 * day)
	if got := len(s.Metas()); got != 7 {
		t.Errorf("%d blocks, want the six of the first day and one of the second", got)
	}
	if failed == 0 {
		t.Error("nobody was told")
	}
}

// spoilChunk changes the last byte of a chunk file, which belongs to a checksum,
// in place: the file is mapped.
func spoilChunk(t *testing.T, name string) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	end, err := f.Seek(-1, io.SeekEnd)
	if err != nil {
		t.Fatal(err)
	}
	var b [1]byte
	if _, err := f.ReadAt(b[:], end); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 0xff
	if _, err := f.WriteAt(b[:], end); err != nil {
		t.Fatal(err)
	}
}
