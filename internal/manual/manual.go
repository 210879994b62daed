// Package manual writes man pages of a command line. Only tests import it, so
// that what it needs is in no program.
package manual

import (
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// Write writes a page of section 1 for each command into a folder, compressed as
// packages have them, and returns their paths.
func Write(root *cobra.Command, dir string) ([]string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	plain, err := os.MkdirTemp(dir, "man")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(plain)
	root.DisableAutoGenTag = true // no date in it: the same source makes the same page
	header := &doc.GenManHeader{Section: "1", Source: "thump", Manual: "thump"}
	if err := doc.GenManTree(root, header, plain); err != nil {
		return nil, fmt.Errorf("write man pages: %w", err)
	}
	pages, err := filepath.Glob(filepath.Join(plain, "*.1"))
	if err != nil {
		return nil, err
	}
	for i, page := range pages {
		pages[i] = filepath.Join(dir, filepath.Base(page)+".gz")
		if err := compress(pages[i], page); err != nil {
			return nil, fmt.Errorf("compress man page: %w", err)
		}
	}
	return pages, nil
}

func compress(to, from string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	z, err := gzip.NewWriterLevel(f, gzip.BestCompression)
	if err == nil {
		_, err = z.Write(text)
	}
	if err == nil {
		err = z.Close()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}
