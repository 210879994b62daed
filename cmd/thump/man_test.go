package main

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"thump/internal/manual"
)

// manDir is where `make man` wants the pages.
var manDir = flag.String("man", "", "folder for man pages")

// TestManPages writes them, a page for each command, and has man read them.
func TestManPages(t *testing.T) {
	dir := *manDir
	if dir == "" {
		dir = t.TempDir()
	}
	pages, err := manual.Write(newRoot(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if want := 1 + len(newRoot().Commands()); len(pages) < want {
		t.Errorf("%d pages, want at least %d", len(pages), want)
	}
	man, err := exec.LookPath("man")
	if err != nil {
		t.Skip("man is not installed")
	}
	for _, page := range pages {
		cmd := exec.Command(man, "--warnings", "--local-file", page)
		cmd.Env = append(os.Environ(), "MANWIDTH=80", "LC_ALL=C.UTF-8")
		out, err := cmd.CombinedOutput()
		name := strings.TrimSuffix(filepath.Base(page), ".1.gz")
		if err != nil || !strings.Contains(string(out), name) || !strings.Contains(string(out), "SYNOPSIS") || strings.Contains(string(out), "warning:") {
			t.Errorf("%s: %v\n%s", page, err, out)
		}
	}
}
