package journal

import (
	"errors"
	"fmt"
	"path/filepath"

	"thump/internal/record"
	"thump/internal/vfs"
)

// report says what is wrong with segments, and copies them aside.
func (j *Journal) report(scans []*scan) {
	for k, r := range scans {
		if k+1 < len(scans) && scans[k+1].seg.seq == r.seg.seq+1 && r.end < scans[k+1].lenBefore {
			r.damage = append(r.damage, record.Region{From: r.end, To: scans[k+1].lenBefore})
		}
		if r.torn > 0 {
			j.stats.Torn++
			j.o.Logger.Warn("cut the torn end of the journal: it was never confirmed",
				"file", r.seg.name(), "from", r.seg.size, "bytes", r.torn)
		}
		for _, d := range r.damage {
			j.stats.Damaged++
			j.o.Logger.Error("journal segment is damaged", "file", r.seg.name(), "from", d.From, "to", d.To, "err", r.err)
		}
		if len(r.damage) == 0 {
			continue
		}
		if err := j.setAside(r.seg); err != nil {
			j.o.Logger.Error("cannot set damaged journal segment aside", "file", r.seg.name(), "err", err)
		}
	}
}

// setAside copies a damaged segment, unless a copy is there.
func (j *Journal) setAside(s *segment) error {
	name := filepath.Join(j.dir, s.name()+".corrupt")
	if f, err := j.o.FS.Open(name); err == nil {
		return f.Close()
	}
	if err := copyFile(j.o.FS, name, s.file, s.size); err != nil {
		return fmt.Errorf("set segment aside: %w", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.stats.SetAside++
	return nil
}

func copyFile(fs vfs.FS, name string, from vfs.File, size int64) error {
	temporary := name + ".tmp"
	to, err := fs.Create(temporary)
	if err != nil {
		return err
	}
	if err := errors.Join(copyRange(to, from, 0, size), to.Sync(), to.Close()); err != nil {
		return err
	}
	return fs.Rename(temporary, name)
}

func copyRange(to, from vfs.File, off, end int64) error {
	for ; off < end; off += compactStep {
		b, err := readFull(from, off, min(compactStep, end-off))
		if err != nil {
			return err
		}
		if _, err := to.WriteAt(b, off); err != nil {
			return err
		}
	}
	return nil
}
