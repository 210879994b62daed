package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"thump/internal/control"
	"thump/internal/vfs"
)

// maxSeen bounds the requests that are remembered; beyond, further ones are refused.
const maxSeen = 10_000

// errReplayed is that a request has been taken before.
var errReplayed = errors.New("replayed: this request has been taken before")

// guard takes each request once, also over a restart and with a clock that is set
// back. It belongs to one goroutine.
type guard struct {
	fs   vfs.FS
	path string
	kept kept
}

// kept is the guard's file, JSON.
type kept struct {
	Version int `json:"version"` // 1
	// Seen are the requests taken, by their ID, and when they were issued.
	Seen map[string]time.Time `json:"seen"`
	// Floor is when the newest request was issued that has been forgotten: what is
	// not newer may be one of them.
	Floor time.Time `json:"floor"`
}

const keptVersion = 1

func openGuard(files vfs.FS, path string) (*guard, error) {
	g := &guard{fs: files, path: path, kept: kept{Version: keptVersion, Seen: map[string]time.Time{}}}
	text, err := vfs.ReadFile(files, path)
	if errors.Is(err, fs.ErrNotExist) {
		return g, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &g.kept)
	}
	if err == nil && g.kept.Version != keptVersion {
		err = fmt.Errorf("version %d, want %d", g.kept.Version, keptVersion)
	}
	if err != nil {
		return nil, fmt.Errorf("read which remote commands were taken, %s: %w (remove the file to have those of the last %s taken again)", path, err, control.CommandWindow)
	}
	if g.kept.Seen == nil {
		g.kept.Seen = map[string]time.Time{}
	}
	return g, nil
}

// take takes a request, or says why not. That it was taken is on disk before it
// returns: a request is not run twice because the power was cut.
func (g *guard) take(c *control.Command, now time.Time) error {
	if off := now.Sub(c.Issued); off.Abs() > control.CommandWindow {
		return fmt.Errorf("stale: issued at %s, which is %s from this host's clock, more than %s",
			c.Issued.Format(time.RFC3339), off.Abs().Round(time.Second), control.CommandWindow)
	}
	if _, taken := g.kept.Seen[c.ID]; taken || !c.Issued.After(g.kept.Floor) {
		return errReplayed
	}
	g.forget(now)
	if len(g.kept.Seen) >= maxSeen {
		return fmt.Errorf("%d requests were taken within %s, no more are", maxSeen, 2*control.CommandWindow)
	}
	g.kept.Seen[c.ID] = c.Issued
	text, err := json.Marshal(&g.kept)
	if err == nil {
		err = vfs.WriteFile(g.fs, g.path, text)
	}
	if err != nil {
		return fmt.Errorf("note that the request is taken: %w", err)
	}
	return nil
}

// forget drops requests that are stale by now, and for good.
func (g *guard) forget(now time.Time) {
	for id, issued := range g.kept.Seen {
		if now.Sub(issued) <= control.CommandWindow {
			continue
		}
		delete(g.kept.Seen, id)
		if issued.After(g.kept.Floor) {
			g.kept.Floor = issued
		}
	}
}
