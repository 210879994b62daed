package pipeline

import (
	"bufio"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestTemplateReachesTheAgent changes what the host measures while it runs.
func TestTemplateReachesTheAgent(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		templates := t.TempDir()
		p := upOn(t, url, t.TempDir(), "--templates", templates)
		one(t, p.url(), "node_load1", 20*time.Second)
		write(t, filepath.Join(templates, "10-load.yaml"), "probes:\n  - {name: load, interval: 1s}\n")
		one(t, p.url(), `count_over_time(node_load1[10s]) > 5`, 60*time.Second)
		p.stop()
	})
}

// TestLiveView reads the stream of a host as a browser does, which asks the
// agent to measure every second.
func TestLiveView(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		p := upOn(t, url, t.TempDir())
		host, err := os.Hostname()
		if err != nil {
			t.Fatal(err)
		}
		one(t, p.url(), "node_load1", 20*time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url()+"/api/live?host="+host, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		begin, events := time.Now(), 0
		lines := bufio.NewScanner(res.Body)
		lines.Buffer(nil, 16<<20)
		for events < 30 && lines.Scan() {
			if strings.HasPrefix(lines.Text(), "event: samples") {
				events++
			}
		}
		if events < 30 {
			t.Fatalf("%d events within a minute: %v", events, lines.Err())
		}
		t.Logf("%d events in %v", events, time.Since(begin).Round(time.Millisecond))
		cancel()
		p.stop()
	})
}
