package collector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"thump/internal/bus"
	"thump/internal/config"
	"thump/internal/control"
	"thump/internal/roster"
	"thump/internal/telemetry"
	"thump/internal/vfs"
)

const (
	inventoryName = "inventory.json"
	saveEvery     = 30 * time.Second
	// rememberRetired is how long it is remembered that a host was retired: as
	// long as history would bring it back after a restart.
	rememberRetired = 2 * seedWindow
)

// detail is what is known of a host besides that it reports.
type detail struct {
	Report   control.Report `json:"report"`
	Reported time.Time      `json:"reported"` // zero: its agent has not said anything of itself
	Wanted   string         `json:"wanted,omitempty"`
	Lag      time.Duration  `json:"-"`
}

// inventory is what is kept of the hosts over a restart: inventory.json in the
// folder of history.
type inventory struct {
	Hosts   []keptHost           `json:"hosts"`
	Retired map[string]time.Time `json:"retired,omitempty"`
}

type keptHost struct {
	Name     string          `json:"name"`
	Group    string          `json:"group"`
	Interval config.Duration `json:"interval"`
	LastSeen time.Time       `json:"last_seen"`
	Detail   *detail         `json:"detail,omitempty"`
}

// arrived notes a stored message of a host, and how old it was. What comes a
// second time may be from before the host was retired, and does not bring it back.
func (h *hosts) arrived(d *bus.Delivery, now time.Time) {
	o := telemetry.OriginOf(&d.Message)
	if d.Redelivered && h.isRetired(o.Host) {
		return
	}
	h.seen(&o, now)
	if o.Host == "" || d.Time.IsZero() {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.roster.Has(o.Host) {
		h.detail(o.Host).Lag = now.Sub(d.Time)
	}
}

// isRetired tells whether a host was retired and has not reported since.
func (h *hosts) isRetired(name string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, retired := h.retired[name]
	return retired && !h.roster.Has(name)
}

// reported notes what an agent says of itself.
func (h *hosts) reported(r *control.Report, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.details) >= maxHosts && h.details[r.Host] == nil {
		h.refused++
		return
	}
	d := h.detail(r.Host)
	d.Report, d.Reported = *r, now
}

// wants notes which template a host is to have.
func (h *hosts) wants(name, revision string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if d := h.details[name]; d != nil {
		d.Wanted = revision
	}
}

// detail is that of a host; the caller holds mu.
func (h *hosts) detail(name string) *detail {
	d := h.details[name]
	if d == nil {
		d = &detail{}
		h.details[name] = d
	}
	return d
}

// agents are the last reports of all agents.
func (h *hosts) agents() []control.Report {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []control.Report
	for _, d := range h.details {
		if !d.Reported.IsZero() {
			all = append(all, d.Report)
		}
	}
	return all
}

// knows tells whether there is such a host, and its group.
func (h *hosts) knows(name string) (group string, known bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, x := range h.roster.Hosts() {
		if x.Name == name {
			return x.Group, true
		}
	}
	d := h.details[name]
	if d != nil && len(d.Report.Groups) > 0 {
		group = d.Report.Groups[0]
	}
	return group, d != nil
}

// retire forgets a host until it reports again.
func (h *hosts) retire(name string, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.roster.Retire(name)
	delete(h.details, name)
	delete(h.nextUp0, name)
	delete(h.seeded, name)
	h.retired[name] = now
}

// remember takes the hosts of before the restart.
func (h *hosts) remember(kept *inventory) {
	h.mu.Lock()
	for name, at := range kept.Retired {
		h.retired[name] = at
	}
	for _, k := range kept.Hosts {
		if k.Detail != nil {
			h.details[k.Name] = k.Detail
		}
	}
	h.mu.Unlock()
	for _, k := range kept.Hosts {
		if !k.LastSeen.IsZero() {
			h.expect(k.Name, k.Group, k.LastSeen, k.Interval.D())
		}
	}
}

// keep is what remember takes.
func (h *hosts) keep(now time.Time) *inventory {
	h.mu.Lock()
	defer h.mu.Unlock()
	kept := &inventory{Hosts: []keptHost{}, Retired: map[string]time.Time{}}
	for _, x := range h.roster.Hosts() {
		k := keptHost{x.Name, x.Group, config.Duration(x.Interval), x.LastSeen, nil}
		if d := h.details[x.Name]; d != nil {
			c := *d
			k.Detail = &c
		}
		kept.Hosts = append(kept.Hosts, k)
	}
	for name, at := range h.retired {
		if now.Sub(at) < rememberRetired {
			kept.Retired[name] = at
		} else {
			delete(h.retired, name)
		}
	}
	return kept
}

// inventoryFile keeps the inventory on disk.
type inventoryFile struct {
	fs   vfs.FS
	path string
}

func newInventoryFile(fs vfs.FS, dir string) inventoryFile {
	return inventoryFile{fs, filepath.Join(dir, inventoryName)}
}

// read returns an empty inventory if there is none.
func (f inventoryFile) read() (*inventory, error) {
	kept := &inventory{}
	text, err := vfs.ReadFile(f.fs, f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return kept, nil
	}
	if err == nil {
		err = json.Unmarshal(text, kept)
	}
	if err != nil {
		return &inventory{}, fmt.Errorf("read inventory %s: %w", f.path, err)
	}
	return kept, nil
}

func (f inventoryFile) write(kept *inventory) error {
	text, err := json.Marshal(kept)
	if err == nil {
		err = vfs.WriteFile(f.fs, f.path, text)
	}
	if err != nil {
		return fmt.Errorf("write inventory: %w", err)
	}
	return nil
}

// saveInventory writes the inventory now and then, and at the end.
func (c *Collector) saveInventory(ctx context.Context) error {
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	for ended := false; !ended; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			ended = true
		}
		if err := c.inventory.write(c.hosts.keep(time.Now())); err != nil {
			c.log.Error("inventory not kept", "err", err)
		}
	}
	return nil
}

// state is a host as the API shows it.
type state struct {
	roster.Host
	detail
}

// states returns all hosts, sorted by name.
func (h *hosts) states() []state {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []state
	for _, x := range h.roster.Hosts() {
		s := state{Host: x}
		if d := h.details[x.Name]; d != nil {
			s.detail = *d
		}
		all = append(all, s)
	}
	return all
}

// state returns one host, or false.
func (h *hosts) state(name string) (state, bool) {
	all := h.states()
	i := slices.IndexFunc(all, func(s state) bool { return s.Name == name })
	if i < 0 {
		return state{}, false
	}
	return all[i], true
}
