package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/common/model"

	"thump/internal/vfs"
)

// grace is how long after a restart the rules have to say again that an alert
// fires before it counts as resolved: until every host has reported, and a for
// was taken up where it was.
const grace = 5 * time.Minute

// toldFor is for how long it is known that the end of an alert is to be told.
const toldFor = 24 * time.Hour

// overFor is for how long an alert that ended is kept, to be told after a restart:
// longer than a receiver is usually away.
const overFor = time.Hour

// ledger is which alerts fire, who takes care of them, and of which people were
// told. It is on disk, so that an alert that fired before
// a restart is the same one after it, and one that ended meanwhile is resolved.
type ledger struct {
	mu     sync.Mutex
	firing map[model.Fingerprint]*alert.Alert // not changed once it is here
	acks   map[model.Fingerprint]Ack          // of those that fire
	toldAt map[model.Fingerprint]time.Time    // kept a while after the end
	over   map[model.Fingerprint]*alert.Alert // ended not long ago: after a restart their end is told, if it was not
}

// page is the ledger's format on disk.
type page struct {
	Version int                             `json:"version"`
	Alerts  []model.Alert                   `json:"alerts"`
	Acks    map[model.Fingerprint]Ack       `json:"acks,omitempty"`
	Told    map[model.Fingerprint]time.Time `json:"told,omitempty"`
	Over    []model.Alert                   `json:"over,omitempty"`
}

const pageVersion = 1

// openLedger reads the ledger as it was left.
func openLedger(path string, now time.Time) (*ledger, error) {
	l := &ledger{
		firing: map[model.Fingerprint]*alert.Alert{}, acks: map[model.Fingerprint]Ack{}, toldAt: map[model.Fingerprint]time.Time{},
		over: map[model.Fingerprint]*alert.Alert{},
	}
	b, err := vfs.ReadFile(vfs.OS{}, path)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the firing alerts: %w", err)
	}
	var p page
	if err := json.Unmarshal(b, &p); err != nil {
		return nil, fmt.Errorf("read the firing alerts from %s: %w", path, err)
	}
	if p.Version != pageVersion {
		return nil, fmt.Errorf("read the firing alerts from %s: version %d, want %d", path, p.Version, pageVersion)
	}
	for _, a := range p.Alerts {
		a.EndsAt = now.Add(grace)
		l.firing[a.Fingerprint()] = &alert.Alert{Alert: a, UpdatedAt: now}
	}
	for _, a := range p.Over {
		l.over[a.Fingerprint()] = &alert.Alert{Alert: a, UpdatedAt: now}
	}
	maps.Copy(l.acks, p.Acks)
	maps.Copy(l.toldAt, p.Told)
	return l, nil
}

// write writes the ledger as openLedger reads it.
func (l *ledger) write(w io.Writer) (int64, error) {
	p := page{Version: pageVersion, Alerts: []model.Alert{}}
	for _, a := range l.all() {
		p.Alerts = append(p.Alerts, a.Alert)
	}
	l.mu.Lock()
	p.Acks, p.Told = maps.Clone(l.acks), maps.Clone(l.toldAt)
	for _, a := range l.over {
		p.Over = append(p.Over, a.Alert)
	}
	l.mu.Unlock()
	b, err := json.Marshal(p)
	if err != nil {
		return 0, err
	}
	n, err := w.Write(b)
	return int64(n), err
}

func (l *ledger) all() []*alert.Alert {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]*alert.Alert, 0, len(l.firing))
	for _, a := range l.firing {
		all = append(all, a)
	}
	return all
}

// note takes what is said of alerts at now and returns those that changed: that
// fire and did not, or fired and no longer do.
func (l *ledger) note(alerts []*alert.Alert, now time.Time) []*alert.Alert {
	l.mu.Lock()
	defer l.mu.Unlock()
	var changed []*alert.Alert
	for _, a := range alerts {
		fp := a.Fingerprint()
		old := l.firing[fp]
		switch resolved := a.ResolvedAt(now); {
		case resolved && old != nil:
			over := ended(old, a.EndsAt)
			l.remove(over, now)
			changed = append(changed, over)
		case !resolved:
			if old == nil {
				changed = append(changed, a)
			}
			l.firing[fp] = since(a, old)
			delete(l.over, fp)
		}
	}
	return changed
}

// expire returns the alerts of which nobody says any more that they fire.
func (l *ledger) expire(now time.Time) []*alert.Alert {
	l.mu.Lock()
	defer l.mu.Unlock()
	var changed []*alert.Alert
	for _, a := range l.firing {
		if a.ResolvedAt(now) {
			l.remove(a, now)
			changed = append(changed, a)
		}
	}
	maps.DeleteFunc(l.over, func(_ model.Fingerprint, a *alert.Alert) bool { return now.Sub(a.EndsAt) > overFor })
	maps.DeleteFunc(l.toldAt, func(fp model.Fingerprint, at time.Time) bool { return l.firing[fp] == nil && now.Sub(at) > toldFor })
	return changed
}

// past returns the alerts that ended not long ago.
func (l *ledger) past() []*alert.Alert {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Values(l.over))
}

// remove notes that an alert no longer fires. The caller holds mu.
func (l *ledger) remove(a *alert.Alert, now time.Time) {
	fp := a.Fingerprint()
	l.over[fp] = a
	if _, told := l.toldAt[fp]; told {
		l.toldAt[fp] = now
	}
	delete(l.firing, fp)
	delete(l.acks, fp)
}

// ack is the acknowledgement of an alert, or nil.
func (l *ledger) ack(fp model.Fingerprint) *Ack {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a, ok := l.acks[fp]; ok {
		return &a
	}
	return nil
}

// since is the alert a with the start of old, if that was earlier.
func since(a, old *alert.Alert) *alert.Alert {
	if old == nil || !old.StartsAt.Before(a.StartsAt) {
		return a
	}
	same := *a
	same.StartsAt = old.StartsAt
	return &same
}

func ended(a *alert.Alert, at time.Time) *alert.Alert {
	over := *a
	over.EndsAt = at
	return &over
}
