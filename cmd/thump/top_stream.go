package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/tmaxmax/go-sse"
)

// topHost is a host as the dashboard's stream tells it; a number that is not
// known is nil.
type topHost struct {
	Name     string   `json:"name"`
	Group    string   `json:"group"`
	Seen     int64    `json:"seen"` // Unix milliseconds
	Silent   bool     `json:"silent"`
	CPU      *float64 `json:"cpu"`
	Memory   *float64 `json:"memory"`
	Disk     *float64 `json:"disk"`
	DiskAt   string   `json:"disk_at"`
	Load     *float64 `json:"load"`
	Cores    int      `json:"cores"`
	Receive  *float64 `json:"receive"`
	Transmit *float64 `json:"transmit"`
}

// What the stream tells the screen.
type (
	topSnapshot struct {
		Link  bool      `json:"link"`
		Hosts []topHost `json:"hosts"`
	}
	topRows struct {
		Hosts []topHost `json:"hosts"`
	}
	topLink struct {
		Up bool `json:"up"`
	}
	topPulse struct {
		Samples float64 `json:"samples_per_second"`
	}
	topCut struct{ err error } // the stream ended; another is tried
)

// follower reads the dashboard's stream of all hosts.
type follower struct{ server string }

// maxEvent is the longest event that is read: some 10,000 hosts.
const maxEvent = 16 << 20

// follow tells what it reads until ctx ends, through outages of the dashboard.
func (f *follower) follow(ctx context.Context, tell func(tea.Msg)) {
	for ctx.Err() == nil {
		tell(topCut{f.read(ctx, func(m tea.Msg) bool { tell(m); return true })})
		select {
		case <-ctx.Done():
		case <-time.After(time.Second + rand.N(time.Second)):
		}
	}
}

// once waits for the first snapshot.
func (f *follower) once(ctx context.Context) ([]topHost, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var first *topSnapshot
	err := f.read(ctx, func(m tea.Msg) bool {
		if s, ok := m.(topSnapshot); ok {
			first = &s
		}
		return first == nil
	})
	if first == nil {
		return nil, err
	}
	slices.SortFunc(first.Hosts, func(a, b topHost) int { return strings.Compare(a.Name, b.Name) })
	return first.Hosts, nil
}

// read follows one connection until it ends or tell has enough.
func (f *follower) read(ctx context.Context, tell func(tea.Msg) bool) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(f.server, "/")+"/api/live", nil)
	if err != nil {
		return fmt.Errorf("--server: %w", err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("follow the dashboard: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 1000))
		return fmt.Errorf("follow the dashboard at %s: %s: %s", f.server, res.Status, strings.TrimSpace(string(text)))
	}
	for e, err := range sse.Read(res.Body, &sse.ReadConfig{MaxEventSize: maxEvent}) {
		if err != nil {
			return fmt.Errorf("the stream of %s ended: %w", f.server, err)
		}
		m, err := decodeTop(e)
		if err != nil {
			return fmt.Errorf("%s is no dashboard of thump: %w", f.server, err)
		}
		if m != nil && !tell(m) {
			return nil
		}
	}
	return errors.New("the dashboard ended the stream")
}

// decodeTop is the message of an event, nil if it does not concern all hosts.
func decodeTop(e sse.Event) (tea.Msg, error) {
	switch e.Type {
	case "snapshot":
		return decodeAs[topSnapshot](e)
	case "hosts":
		return decodeAs[topRows](e)
	case "link":
		return decodeAs[topLink](e)
	case "pulse":
		return decodeAs[topPulse](e)
	}
	return nil, nil
}

func decodeAs[T any](e sse.Event) (tea.Msg, error) {
	var v T
	err := json.Unmarshal([]byte(e.Data), &v)
	return v, err
}
