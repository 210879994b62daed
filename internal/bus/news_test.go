package bus_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"thump/internal/bus"
)

// TestNewsOfTheLink tells whoever asked why there is no link, and when there is.
func TestNewsOfTheLink(t *testing.T) {
	url := builtIn(t)
	for name, c := range map[string]struct{ url, want string }{
		"up":             {url, ""},
		"wrong password": {strings.Replace(url, "guest:guest", "guest:wrong", 1), "403"},
		"nobody listens": {"amqp://guest:guest@127.0.0.1:1/", "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			news := make(chan error, 100)
			open(t, bus.Options{Changed: func(err error) { news <- err }}, c.url)
			if err := told(t, news); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("told %v, want %q", err, c.want)
			}
		})
	}
}

// TestNewsOfASubscription tells why it is not served, and goes on trying.
func TestNewsOfASubscription(t *testing.T) {
	news := make(chan error, 100)
	b := open(t, bus.Options{}, builtIn(t))
	_, err := b.Subscribe(t.Context(), bus.Subscription{
		Bindings:    []bus.Binding{{Source: "nowhere"}},
		Interrupted: func(err error) { news <- err },
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := told(t, news); err == nil || !strings.Contains(err.Error(), "nowhere") {
			t.Errorf("told %v, want the exchange that is missing", err)
		}
	}
}

// open runs a bus until the test ends.
func open(t *testing.T, o bus.Options, url string) bus.Bus {
	t.Helper()
	o.Name, o.Logger = "test", slog.New(slog.DiscardHandler)
	b, err := bus.Open(bus.Config{URLs: []string{url}}, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return b
}

func told(t *testing.T, news <-chan error) error {
	t.Helper()
	select {
	case err := <-news:
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("told nothing within 20 s")
		return nil
	}
}
