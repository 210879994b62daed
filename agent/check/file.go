package check

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"thump/internal/telemetry"
)

// File looks at files: whether they exist, how old and how large they are. One
// that is missing is critical.
type File struct {
	// Path of the file, or a pattern (*, ?, [a-z]) of which at most 100 are looked at.
	Path string `yaml:"path"`
	// Absent turns it round: one that exists is critical.
	Absent bool `yaml:"absent"`
	// Age since the last change: from when on it is too old.
	Age Latency `yaml:"age"`
	// Size says how many bytes are good.
	Size Span `yaml:"size"`
}

const maxFiles = 100

func (c *File) validate(p *problems) {
	if !filepath.IsAbs(c.Path) {
		p.add("file: path: %q is not absolute", c.Path)
	}
	if _, err := filepath.Match(c.Path, ""); err != nil {
		p.add("file: path: %q: %w", c.Path, err)
	}
	c.Age.validate(p, "file: age")
}

func (c *File) open(_ *Spec, _ Env) (runner, error) { return c, nil }

// run implements runner.
func (c *File) run(_ context.Context, o *output) (verdict, error) {
	paths, err := filepath.Glob(c.Path)
	if err != nil {
		return verdict{}, fmt.Errorf("find files: %w", err)
	}
	if len(paths) > maxFiles {
		return verdict{}, fmt.Errorf("find files: %d, more than %d", len(paths), maxFiles)
	}
	v := verdict{ok, fmt.Sprintf("%d files", len(paths))}
	found := 0
	for _, path := range paths {
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) { // gone meanwhile
			continue
		}
		if err != nil {
			return verdict{}, fmt.Errorf("look at file: %w", err)
		}
		found++
		c.look(o, &v, path, info)
	}
	o.put("thump_file_count", "Files found.", float64(found))
	switch {
	case found == 0 && !c.Absent:
		v.worse(critical, "%s does not exist", c.Path)
	case found > 0 && c.Absent:
		v.worse(critical, "%s exists", c.Path)
	}
	return v, nil
}

func (c *File) look(o *output, v *verdict, path string, info fs.FileInfo) {
	age := time.Since(info.ModTime())
	label := telemetry.Label{Name: "path", Value: path}
	o.put("thump_file_age_seconds", "Time since the file's last change.", age.Seconds(), label)
	o.put("thump_file_size_bytes", "Size of the file.", float64(info.Size()), label)
	if c.Absent {
		return
	}
	switch {
	case c.Age.Crit > 0 && age >= c.Age.Crit.D():
		v.worse(critical, "%s is older than %s", path, c.Age.Crit)
	case c.Age.Warn > 0 && age >= c.Age.Warn.D():
		v.worse(warning, "%s is older than %s", path, c.Age.Warn)
	}
	c.Size.judge(v, "size of "+path, float64(info.Size()))
}
