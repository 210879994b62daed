package collector

import (
	"context"
	"time"
)

// watchInterval is how often the roster is looked over.
const watchInterval = time.Second

// watch writes into history that hosts are silent, while it can hear them.
func (c *Collector) watch(ctx context.Context) error {
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	deaf := true
	for {
		select {
		case now := <-tick.C:
			was := deaf
			if deaf = c.deaf(); deaf {
				continue
			}
			if was {
				c.hosts.resume(now)
			}
			c.mark(ctx, now)
		case <-ctx.Done():
			return nil
		}
	}
}

// deaf tells whether nobody could be heard now: there is no broker, or what it
// delivers cannot be stored and waits.
func (c *Collector) deaf() bool { return !c.bus.Connected() || c.ingest.stuck.Load() }

// mark writes `up 0` for the hosts that are silent at now.
func (c *Collector) mark(ctx context.Context, now time.Time) {
	fell, due := c.hosts.down(now)
	for _, h := range fell {
		c.log.Warn("host is silent", "host", h.Name, "group", h.Group, "last_seen", h.LastSeen)
	}
	if len(due) == 0 {
		return
	}
	if err := appendDown(ctx, c.db, due, now); err != nil {
		c.log.Error("silent hosts are missing in history", "err", err)
	}
}
