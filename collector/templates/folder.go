package templates

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const (
	// pollEvery is how often the folder is looked at. A change is read once it has
	// stood still for one look, so that no half-written file is taken for whole.
	pollEvery = 250 * time.Millisecond
	maxFiles  = 1000
	maxFile   = 1 << 20 // bytes
)

// Folder keeps the set of a folder's files up to date.
type Folder struct {
	// Static after construction.
	dir     string
	builtIn []byte
	check   Checker
	log     *slog.Logger

	mu       sync.Mutex
	set      *Set      // the last good one; nil before there was one; guarded by mu
	since    time.Time // set holds; guarded by mu
	problems []Problem // of the last reading; guarded by mu
	stamp    string    // of the files last read; guarded by mu
}

// Open reads the folder. That a file is bad is no error; then there is no set
// until it is mended.
func Open(dir string, builtIn []byte, check Checker, log *slog.Logger) (*Folder, error) {
	f := &Folder{dir: dir, builtIn: builtIn, check: check, log: log}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("folder of templates %s: not a folder that can be read", dir)
	}
	_ = f.Reload() // logged, and shown by Problems
	return f, nil
}

// Set is the last good set; nil if there was none since the start.
func (f *Folder) Set() (*Set, time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.set, f.since
}

// Problems are what was wrong when the folder was last read.
func (f *Folder) Problems() []Problem {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.problems
}

// Reload reads the folder now. With an error the last good set stays.
func (f *Folder) Reload() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stamp = f.look()
	texts, err := f.read()
	var set *Set
	var bad []Problem
	if err != nil {
		bad = []Problem{{File: f.dir, Reason: err.Error()}}
	} else {
		set, bad = newSet(f.builtIn, texts, f.check)
	}
	f.problems = bad
	var errs []error
	for _, p := range bad {
		f.log.Error("template file not taken, the last good set stays", "file", p.File, "line", p.Line, "reason", p.Reason)
		errs = append(errs, p)
	}
	if len(bad) == 0 {
		f.set, f.since = set, time.Now()
		f.log.Info("templates read", "files", len(set.files))
	}
	return errors.Join(errs...)
}

// Run reads the folder whenever it has changed, and calls changed after each
// reading that gave a new set, until ctx ends.
func (f *Folder) Run(ctx context.Context, changed func()) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	before := ""
	for {
		select {
		case <-tick.C:
			stamp := f.look()
			if stamp == before && stamp != f.lastRead() && f.Reload() == nil {
				changed()
			}
			before = stamp
		case <-ctx.Done():
			return
		}
	}
}

func (f *Folder) lastRead() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stamp
}

// files are the folder's files: *.yaml and *.yml, but not hidden ones.
func (f *Folder) files() ([]fs.FileInfo, error) {
	all, err := os.ReadDir(f.dir)
	if err != nil {
		return nil, err
	}
	var files []fs.FileInfo
	for _, e := range all {
		ext := filepath.Ext(e.Name())
		if strings.HasPrefix(e.Name(), ".") || ext != ".yaml" && ext != ".yml" {
			continue
		}
		info, err := os.Stat(filepath.Join(f.dir, e.Name()))
		if err != nil {
			return nil, err
		}
		files = append(files, info)
	}
	if len(files) > maxFiles {
		return nil, fmt.Errorf("%d files, want at most %d", len(files), maxFiles)
	}
	return files, nil
}

// look says how the files stand: another answer means that one has changed.
func (f *Folder) look() string {
	files, err := f.files()
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, i := range files {
		fmt.Fprintf(&b, "%q %d %d\n", i.Name(), i.Size(), i.ModTime().UnixNano())
	}
	return b.String()
}

func (f *Folder) read() (map[string][]byte, error) {
	files, err := f.files()
	if err != nil {
		return nil, err
	}
	texts := map[string][]byte{}
	for _, i := range files {
		if i.Size() > maxFile {
			return nil, fmt.Errorf("%s: %d bytes, want at most %d", i.Name(), i.Size(), maxFile)
		}
		text, err := os.ReadFile(filepath.Join(f.dir, i.Name()))
		if err != nil {
			return nil, err
		}
		texts[i.Name()] = text
	}
	return texts, nil
}
