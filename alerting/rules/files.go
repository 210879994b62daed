// Package rules evaluates standard Prometheus rule files as soon as something
// that they read has arrived.
package rules

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

// Set is what the rule files say. It does not change.
type Set struct {
	parser parser.Parser
	files  []string // names, sorted
	groups map[string]*rulefmt.RuleGroups
	reads  reads
}

// ReadFiles reads the rule files that the globs match; in a path without
// wildcards the file must exist. All errors are found, each with file and line.
func ReadFiles(globs []string, log *slog.Logger) (*Set, error) {
	var names []string
	for _, g := range globs {
		found, err := filepath.Glob(g)
		switch {
		case err != nil:
			return nil, fmt.Errorf("rule files %q: %w", g, err)
		case len(found) == 0 && !strings.ContainsAny(g, `*?[`):
			return nil, fmt.Errorf("read rule file: %s does not exist", g)
		case len(found) == 0:
			log.Warn("no rule file matches", "glob", g)
		}
		names = append(names, found...)
	}
	return parse(names, os.ReadFile, log)
}

// ReadFS reads the rule files of fsys that the glob matches.
func ReadFS(fsys fs.FS, glob string, log *slog.Logger) (*Set, error) {
	names, err := fs.Glob(fsys, glob)
	if err != nil {
		return nil, fmt.Errorf("rule files %q: %w", glob, err)
	}
	return parse(names, func(name string) ([]byte, error) { return fs.ReadFile(fsys, name) }, log)
}

// ReadShipped reads the rule files of fsys that the glob matches, except those
// that own has too, and all of own, which is a folder that need not exist.
func ReadShipped(fsys fs.FS, glob, own string, log *slog.Logger) (*Set, error) {
	shipped, err := fs.Glob(fsys, glob)
	if err != nil {
		return nil, fmt.Errorf("rule files %q: %w", glob, err)
	}
	mine, err := filesIn(own)
	if err != nil {
		return nil, fmt.Errorf("rule files of %s: %w", own, err)
	}
	inFS := map[string]bool{}
	for _, name := range shipped {
		if !slices.ContainsFunc(mine, func(m string) bool { return filepath.Base(m) == path.Base(name) }) {
			inFS[name] = true
		}
	}
	return parse(slices.Concat(mine, slices.Collect(maps.Keys(inFS))), func(name string) ([]byte, error) {
		if inFS[name] {
			return fs.ReadFile(fsys, name)
		}
		return os.ReadFile(name)
	}, log)
}

// extensions are how the name of a rule file ends.
var extensions = []string{".yml", ".yaml", ".rules"}

// IsFile tells whether a name is that of a rule file.
func IsFile(name string) bool { return slices.Contains(extensions, filepath.Ext(name)) }

// filesIn are the rule files of a folder, which need not exist.
func filesIn(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		if !e.IsDir() && IsFile(e.Name()) {
			names = append(names, filepath.Join(dir, e.Name()))
		}
	}
	return names, err
}

// Files are the names of the files, sorted.
func (s *Set) Files() []string { return slices.Clone(s.files) }

func parse(names []string, read func(string) ([]byte, error), log *slog.Logger) (*Set, error) {
	slices.Sort(names)
	s := &Set{
		parser: parser.NewParser(parser.Options{}),
		files:  slices.Compact(names),
		groups: map[string]*rulefmt.RuleGroups{},
	}
	var all []error
	for _, name := range s.files {
		content, err := read(name)
		if err != nil {
			all = append(all, fmt.Errorf("read rule file: %w", err))
			continue
		}
		groups, errs := rulefmt.Parse(content, false, model.UTF8Validation, s.parser, log)
		for _, err := range errs {
			all = append(all, fmt.Errorf("rule file %s: %w", name, err))
		}
		s.groups[name] = groups
	}
	if err := errors.Join(all...); err != nil {
		return nil, err
	}
	var err error
	s.reads, err = s.findReads()
	return s, err
}

// Lookback is how far into the past the rules look.
func (s *Set) Lookback() time.Duration { return s.reads.lookback }

// Load gives the rule manager a file that is already parsed; it implements
// promrules.GroupLoader.
func (s *Set) Load(name string, _ bool, _ model.ValidationScheme) (*rulefmt.RuleGroups, []error) {
	g, ok := s.groups[name]
	if !ok {
		return nil, []error{fmt.Errorf("rule file %s was not read", name)}
	}
	return g, nil
}

// Parse implements promrules.GroupLoader.
func (s *Set) Parse(expr string) (parser.Expr, error) { return s.parser.ParseExpr(expr) }

// Check tells what is wrong with the content of a rule file.
func Check(name string, content []byte, log *slog.Logger) error {
	_, err := parse([]string{name}, func(string) ([]byte, error) { return content, nil }, log)
	return err
}
