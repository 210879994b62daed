package probe

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"thump/agent/exposition"
)

var (
	textfileError = gauge("node_textfile_scrape_error", "Whether a file could not be read.")
	textfileMtime = gauge("node_textfile_mtime_seconds", "When a file last changed, Unix time.", "file")
)

// Limits of textfile.
const (
	maxTextfiles      = 100
	maxTextfileBytes  = 1 << 20 // of one file
	maxTextfileSeries = 5000    // of all
	maxTextfileDescs  = 2 * maxTextfileSeries
)

// textfile reads what other programs write for it, *.prom in one folder.
type textfile struct {
	dir string // static after construction

	// Owned by Collect.
	descs map[string]*Desc // by the metric's and the labels' names
	seen  map[string]bool  // series of this run
}

func newTextfile(o Options) (Probe, error) {
	return &textfile{dir: o.Textfile, descs: map[string]*Desc{}, seen: map[string]bool{}}, nil
}

// Name implements Probe.
func (*textfile) Name() string { return "textfile" }

// Collect implements Probe. A file with a mistake counts up to there, and the
// others whole; a folder that is not there is empty.
func (p *textfile) Collect(_ context.Context, s *Sink) error {
	clear(p.seen)
	if len(p.descs) > maxTextfileDescs {
		clear(p.descs)
	}
	paths, err := filepath.Glob(filepath.Join(p.dir, "*.prom"))
	if err == nil && len(paths) > maxTextfiles {
		err = fmt.Errorf("%d files, read %d", len(paths), maxTextfiles)
		paths = paths[:maxTextfiles]
	}
	failed := []error{err}
	for _, path := range paths {
		if err := p.addFile(s, path); err != nil {
			failed = append(failed, fmt.Errorf("read %s: %w", path, err))
		}
	}
	err = errors.Join(failed...)
	s.Add(textfileError, flag(err != nil))
	return err
}

func (p *textfile) addFile(s *Sink, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() > maxTextfileBytes {
		return fmt.Errorf("no file, or one of more than %d bytes", maxTextfileBytes)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var refused error
	err = exposition.Read(string(text), func(m *exposition.Sample) {
		if err := p.add(s, m); err != nil {
			refused = err
		}
	})
	if err = errors.Join(err, refused); err == nil {
		s.Add(textfileMtime, float64(info.ModTime().UnixNano())/1e9, path)
	}
	return err
}

func (p *textfile) add(s *Sink, m *exposition.Sample) error {
	key := m.Name
	var names, values []string
	for _, l := range m.Labels {
		names, values = append(names, l.Name), append(values, l.Value)
		key += "\xff" + l.Name
	}
	series := key + "\xfe" + strings.Join(values, "\xff")
	switch {
	case p.seen[series]:
		return fmt.Errorf("series of %s twice", m.Name)
	case len(p.seen) == maxTextfileSeries:
		return fmt.Errorf("more than %d series", maxTextfileSeries)
	}
	p.seen[series] = true
	d := p.descs[key]
	if d == nil {
		d = NewDesc(strings.Clone(m.Name), m.Type, strings.Clone(m.Help), names...)
		p.descs[key] = d
	}
	s.Add(d, m.Value, values...)
	return nil
}
