package notify

import (
	"log/slog"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/alertmanager/config"
)

// TestCorpus: every file of Alertmanager's own tests loads or fails here as it
// does there, with the same reason.
func TestCorpus(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/prometheus/alertmanager").Output()
	if err != nil {
		t.Fatal("find Alertmanager's module:", err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(dir)), "config", "testdata", "*.yml"))
	if err != nil || len(files) < 40 {
		t.Fatalf("%d files, want Alertmanager's corpus: %v", len(files), err)
	}
	failed := 0
	for _, f := range files {
		_, theirs := config.LoadFile(f)
		ours := Check(f, slog.New(slog.DiscardHandler))
		switch {
		case theirs == nil && ours != nil && strings.Contains(ours.Error(), "no such file"): // a file with a secret, read as the receiver is built
		case (theirs == nil) != (ours == nil):
			t.Errorf("%s: %v, there %v", filepath.Base(f), ours, theirs)
		case theirs != nil:
			failed++
			last := theirs.Error()[strings.LastIndexByte(theirs.Error(), '\n')+1:]
			if !strings.Contains(ours.Error(), strings.TrimSpace(strings.SplitN(last, " in type", 2)[0])) && !strings.Contains(last, "not found in type") {
				t.Errorf("%s: %v, there %v", filepath.Base(f), ours, theirs)
			}
		}
	}
	if failed < 10 {
		t.Errorf("%d files fail, want at least 10: is this the corpus?", failed)
	}
}
