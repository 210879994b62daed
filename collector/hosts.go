package collector

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"

	"thump/collector/history"
	"thump/internal/roster"
	"thump/internal/telemetry"
)

const (
	// maxHosts bounds the roster; further hosts are stored but not watched.
	maxHosts = 100_000
	// downInterval is the shortest time between two `up 0` of a host.
	downInterval = 5 * time.Second
)

// hosts knows who reports. A host is watched once a message of it says when the
// next one will come.
type hosts struct {
	mu      sync.Mutex
	roster  *roster.Roster       // guarded by mu
	nextUp0 map[string]time.Time // of the silent hosts; guarded by mu
	seeded  map[string]bool      // hosts not heard of since the start; guarded by mu
	refused int                  // messages of hosts beyond maxHosts; guarded by mu
	details map[string]*detail   // guarded by mu
	retired map[string]time.Time // when; guarded by mu
}

func newHosts(now time.Time) *hosts {
	return &hosts{roster: roster.New(now), nextUp0: map[string]time.Time{}, seeded: map[string]bool{},
		details: map[string]*detail{}, retired: map[string]time.Time{}}
}

// seen notes that a message of o arrived. The time of arrival counts, not the
// message's own: a host whose clock is wrong is not silent.
func (h *hosts) seen(o *telemetry.Origin, now time.Time) {
	if o.Host == "" || o.Interval <= 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.roster.Len() >= maxHosts && !h.roster.Has(o.Host) {
		h.refused++
		return
	}
	if h.seeded[o.Host] { // its interval was a guess
		delete(h.seeded, o.Host)
		h.roster.Retire(o.Host)
	}
	if h.roster.Seen(o.Host, o.Group, o.Probe, o.Interval, now) {
		delete(h.nextUp0, o.Host)
	}
}

// resume makes silence count from now, after nothing could be heard.
func (h *hosts) resume(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.roster.Resume(now)
}

// down returns the hosts that fell silent now, and those for which `up 0` is due.
func (h *hosts) down(now time.Time) (fell, due []roster.Host) {
	h.mu.Lock()
	defer h.mu.Unlock()
	fell = h.roster.Fall(now)
	for _, host := range fell {
		h.nextUp0[host.Name] = now
	}
	if len(h.nextUp0) == 0 {
		return fell, nil
	}
	for _, host := range h.roster.Hosts() {
		if next, silent := h.nextUp0[host.Name]; silent && !now.Before(next) {
			due = append(due, host)
			h.nextUp0[host.Name] = now.Add(max(host.Interval, downInterval))
		}
	}
	return fell, due
}

func (h *hosts) count() (known, silent, refused int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.roster.Len(), len(h.nextUp0), h.refused
}

// The series by which everybody knows whether a host reports.
const (
	upMetric = "up"
	upJob    = "node"
)

// appendDown writes `up 0` for silent hosts.
func appendDown(ctx context.Context, db *history.DB, silent []roster.Host, now time.Time) error {
	err := db.Append(ctx, func(app storage.Appender, _ int) error {
		for _, h := range silent {
			series := labels.FromStrings(model.MetricNameLabel, upMetric, "group", h.Group, "instance", h.Name, "job", upJob)
			if _, err := app.Append(0, series, now.UnixMilli(), 0); err != nil && refusal(err) == "" {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store that hosts are silent: %w", err)
	}
	return nil
}
