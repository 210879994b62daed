// Package roster knows which hosts report and which have fallen silent. It
// decides in pure functions of the time it is given and starts nothing.
package roster

import (
	"slices"
	"strings"
	"time"
)

// Grace is how long past its interval a host may be late before it counts as
// silent.
const Grace = 5 * time.Second

// Host is one host that has reported.
type Host struct {
	Name     string
	Group    string
	Interval time.Duration // of its most frequent probe, as each last said
	LastSeen time.Time
	Silent   bool

	intervals map[string]time.Duration // by probe
}

// Roster is a list of hosts. It is not safe for concurrent use.
type Roster struct {
	hosts map[string]*Host
	since time.Time // silence counts from here at the earliest
}

// New returns an empty roster; no host is silent before since plus its interval.
func New(since time.Time) *Roster {
	return &Roster{hosts: map[string]*Host{}, since: since}
}

// Seen notes that a host reported at t with a probe that runs every interval
// from now on; zero means that the message does not say. It tells whether the
// host was new or silent until now.
func (r *Roster) Seen(name, group, probe string, interval time.Duration, t time.Time) (back bool) {
	h := r.hosts[name]
	if h == nil {
		h = &Host{Name: name, Silent: true, intervals: map[string]time.Duration{}}
		r.hosts[name] = h
	}
	back = h.Silent
	h.Group, h.Silent = group, false
	h.note(probe, interval)
	if t.After(h.LastSeen) {
		h.LastSeen = t
	}
	return back
}

// maxProbes bounds the probes of one host whose intervals are remembered.
const maxProbes = 1000

// note remembers a probe's interval, which may be longer than before: a boost
// has ended, or the template has changed.
func (h *Host) note(probe string, interval time.Duration) {
	known, ok := h.intervals[probe]
	if interval <= 0 || known == interval || !ok && len(h.intervals) == maxProbes {
		return
	}
	h.intervals[probe] = interval
	h.Interval = interval
	for _, d := range h.intervals {
		h.Interval = min(h.Interval, d)
	}
}

// Resume makes silence count from t, after a time in which nothing could have
// been heard from anyone: a broker that is gone is not a thousand silent hosts.
func (r *Roster) Resume(t time.Time) { r.since = t }

// Fall marks the hosts that are silent at now and returns those that were not
// before, sorted by name.
func (r *Roster) Fall(now time.Time) []Host {
	var fell []Host
	for _, h := range r.hosts {
		if !h.Silent && now.After(r.deadline(h)) {
			h.Silent = true
			fell = append(fell, *h)
		}
	}
	sortByName(fell)
	return fell
}

// Late returns the hosts that are not silent yet, but have let their interval
// pass by more than d at now.
func (r *Roster) Late(now time.Time, d time.Duration) []Host {
	var late []Host
	for _, h := range r.hosts {
		if !h.Silent && now.After(r.deadline(h).Add(d-Grace)) {
			late = append(late, *h)
		}
	}
	sortByName(late)
	return late
}

func (r *Roster) deadline(h *Host) time.Time {
	from := h.LastSeen
	if r.since.After(from) {
		from = r.since
	}
	return from.Add(h.Interval + Grace)
}

// Hosts returns a copy of the list, sorted by name.
func (r *Roster) Hosts() []Host {
	all := make([]Host, 0, len(r.hosts))
	for _, h := range r.hosts {
		all = append(all, *h)
	}
	sortByName(all)
	return all
}

// Len is the number of hosts.
func (r *Roster) Len() int { return len(r.hosts) }

// Has tells whether a host is on the list.
func (r *Roster) Has(name string) bool { return r.hosts[name] != nil }

// LastSeen is when a host reported last; zero if it is not on the list.
func (r *Roster) LastSeen(name string) time.Time {
	if h := r.hosts[name]; h != nil {
		return h.LastSeen
	}
	return time.Time{}
}

// Retire forgets a host; it tells whether it was known.
func (r *Roster) Retire(name string) bool {
	_, ok := r.hosts[name]
	delete(r.hosts, name)
	return ok
}

func sortByName(hs []Host) {
	slices.SortFunc(hs, func(a, b Host) int { return strings.Compare(a.Name, b.Name) })
}
