package dashboard_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"thump/broker"
	"thump/broker/management"
	"thump/dashboard"
)

// startManagement runs a broker with its management API and returns the address
// of the latter.
func startManagement(t *testing.T) string {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	cfg := broker.DefaultConfig()
	cfg.DataDir, cfg.AMQP = filepath.Join(t.TempDir(), "broker"), []string{"127.0.0.1:0"}
	b, err := broker.New(cfg, broker.Deps{Logger: log, Registerer: prometheus.NewRegistry(), Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	background(t, b.Run)
	m, err := management.New(management.Config{Address: "127.0.0.1:0"}, management.Deps{Broker: b, Logger: log, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	background(t, m.Run)
	return m.Addr().String()
}

func background(t *testing.T, run func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func viewing(t *testing.T, management string) http.Handler {
	t.Helper()
	cfg := dashboard.DefaultConfig()
	cfg.ManagementURL = management
	d, err := dashboard.New(cfg, dashboard.Deps{Bus: &memoryBus{}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return d.Handler()
}

func TestBrokerIsLookedAtThroughItsManagementAPI(t *testing.T) {
	h := viewing(t, "http://guest:guest@"+startManagement(t))
	for _, list := range []string{"exchanges", "queues", "bindings", "connections", "channels", "consumers", "nodes"} {
		w := get(h, "/api/broker/"+list)
		var items []map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &items); err != nil || w.Code != http.StatusOK {
			t.Errorf("%s: status %d, %v: %.200s", list, w.Code, err, w.Body)
		}
	}
	if w := get(h, "/api/broker/overview"); !strings.Contains(w.Body.String(), "queue_totals") {
		t.Errorf("overview: %.200s", w.Body)
	}
}

// A page can neither change the broker nor read what holds secrets.
func TestBrokerCanOnlyBeLookedAt(t *testing.T) {
	h := viewing(t, "http://guest:guest@"+startManagement(t))
	for _, path := range []string{"users", "definitions", "queues/%2F/x", "", "../api/users", "queues/../users"} {
		if w := get(h, "/api/broker/"+path); w.Code == http.StatusOK {
			t.Errorf("%s: status %d: %.200s", path, w.Code, w.Body)
		}
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, "/api/broker/queues", nil))
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != http.MethodGet {
			t.Errorf("%s: status %d", method, w.Code)
		}
	}
}

func TestBrokerThatCannotBeLookedAtSaysWhy(t *testing.T) {
	address := startManagement(t)
	for url, want := range map[string]string{
		"":                               "--management-url",
		"http://guest:wrong@" + address:  "refuses the user",
		"http://guest:guest@127.0.0.1:1": "does not answer",
	} {
		w := get(viewing(t, url), "/api/broker/queues")
		body, _ := io.ReadAll(w.Body)
		if w.Code < 500 || !strings.Contains(string(body), want) || strings.Contains(string(body), "wrong") {
			t.Errorf("%s: status %d, %s; want %q and no password", url, w.Code, body, want)
		}
		if w.Header().Get("WWW-Authenticate") != "" {
			t.Errorf("%s: the browser would ask for a password", url)
		}
	}
	cfg := dashboard.DefaultConfig()
	cfg.ManagementURL = "guest:secret@localhost"
	if _, err := dashboard.New(cfg, dashboard.Deps{Bus: &memoryBus{}, Logger: slog.New(slog.DiscardHandler)}); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("error %v, want one without the password", err)
	}
}
