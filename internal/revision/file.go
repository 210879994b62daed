package revision

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pmezard/go-difflib/difflib"

	"thump/internal/vfs"
)

// Content is what a file holds; nil if there is none.
func Content(path string) (*string, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read file: %w", err)
	}
	s := string(b)
	return &s, nil
}

// write replaces a file, or with nil removes it.
func write(path string, content *string) error {
	if content == nil {
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("remove file: %w", err)
		}
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	if err := vfs.WriteFile(vfs.OS{}, path, []byte(*content)); err != nil {
		return fmt.Errorf("write file: %w", err)
	}
	return nil
}

// Diff is what changed, as diff -u shows it; "" if nothing did.
func Diff(before, after *string) string {
	text, err := difflib.GetUnifiedDiffString(difflib.UnifiedDiff{
		A: split(before), B: split(after), FromFile: "before", ToFile: "after", Context: 3,
	})
	if err != nil { // a writer's, and this one writes to memory
		panic(fmt.Sprintf("revision: diff: %v", err))
	}
	return text
}

func split(s *string) []string {
	if s == nil || *s == "" {
		return nil
	}
	lines := difflib.SplitLines(*s)
	if last := len(lines) - 1; lines[last] == "\n" { // it ends the line before
		lines = lines[:last]
	}
	return lines
}
