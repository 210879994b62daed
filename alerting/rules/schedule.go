package rules

import (
	"maps"
	"time"
)

// Cause is why a group is evaluated.
type Cause string

// Causes of an evaluation.
const (
	Start    Cause = "start"    // of the process, or the group is new
	Arrival  Cause = "arrival"  // of a sample that it reads
	Silence  Cause = "silence"  // a host fell silent or is back
	Hold     Cause = "hold"     // the end of a rule's for or keep_firing_for
	Recorded Cause = "recorded" // another group wrote what it reads
	Timer    Cause = "timer"    // the group's own interval
)

var causes = []Cause{Start, Arrival, Silence, Hold, Recorded, Timer}

// schedule decides which group is evaluated when. It is a pure function of the
// times that it is given.
type schedule struct {
	gap       time.Duration // from one evaluation of a group to the next, at least
	slots     map[string]*slot
	coalesced int // wishes that were met by an evaluation already due
}

// slot is one group's place in the schedule.
type slot struct {
	settle time.Duration // how long an arrival waits

	due   time.Time // of the next evaluation; zero: none is wished for
	hosts Hosts     // that the next evaluation is about
	all   bool      // it is about all
	cause Cause     // of due
	hold  time.Time // when a for ends; zero: none does
	free  time.Time // no evaluation before this
	last  time.Time // time for which the group was evaluated last
}

func newSchedule(gap time.Duration) *schedule {
	return &schedule{gap: gap, slots: map[string]*slot{}}
}

// keep makes these the groups that there are, with how long an arrival waits in
// each; those that stay keep their place.
func (s *schedule) keep(settle map[string]time.Duration) {
	slots := make(map[string]*slot, len(settle))
	for k, d := range settle {
		if slots[k] = s.slots[k]; slots[k] == nil {
			slots[k] = &slot{}
		}
		slots[k].settle = d
	}
	s.slots = slots
}

// wish asks at a time for an evaluation, as soon as the group may.
func (s *schedule) wish(key string, c Cause, at time.Time) {
	t := s.slots[key]
	if t == nil {
		return
	}
	if c == Arrival {
		at = at.Add(t.settle)
	} else {
		t.all = true
	}
	if at.Before(t.free) {
		at = t.free
	}
	if !t.due.IsZero() {
		s.coalesced++
	}
	if t.due.IsZero() || at.Before(t.due) {
		t.due, t.cause = at, c
	}
}

// arrive wishes for an evaluation since something has arrived of some hosts.
func (s *schedule) arrive(key string, hosts Hosts, at time.Time) {
	t := s.slots[key]
	if t == nil {
		return
	}
	s.wish(key, Arrival, at)
	if t.settle > settle { // by the group's query_offset: it is not seen yet
		t.all = true
	}
	if t.hosts == nil {
		t.hosts = make(Hosts, len(hosts))
	}
	maps.Copy(t.hosts, hosts)
}

// about is the hosts that a group's evaluation for a cause is about; nil: all.
func (s *schedule) about(key string, c Cause) Hosts {
	t := s.slots[key]
	hosts := t.hosts
	if t.all || c != Arrival {
		hosts = nil
	}
	t.hosts, t.all = nil, false
	return hosts
}

// next is when the next group is due.
func (s *schedule) next() (at time.Time, ok bool) {
	for _, t := range s.slots {
		if d := t.soonest(); !d.IsZero() && (!ok || d.Before(at)) {
			at, ok = d, true
		}
	}
	return at, ok
}

func (t *slot) soonest() time.Time {
	at := t.hold
	if !at.IsZero() && at.Before(t.free) {
		at = t.free
	}
	if at.IsZero() || !t.due.IsZero() && t.due.Before(at) {
		return t.due
	}
	return at
}

// take returns a group that is due and why.
func (s *schedule) take(now time.Time) (key string, c Cause, ok bool) {
	for k, t := range s.slots {
		at := t.soonest()
		if at.IsZero() || at.After(now) {
			continue
		}
		c = Hold
		if t.due.Equal(at) {
			c = t.cause
		}
		t.due, t.hold = time.Time{}, time.Time{}
		return k, c, true
	}
	return "", "", false
}

// timeOf is the time for which a group is evaluated at now: later than any
// before, also when the clock was set back.
func (s *schedule) timeOf(key string, now time.Time) time.Time {
	t := s.slots[key]
	if !now.After(t.last) {
		now = t.last.Add(time.Millisecond)
	}
	t.last = now
	return now
}

// done notes that an evaluation ended after it took some time, and when a for
// ends. A group is busy for half of the time at most.
func (s *schedule) done(key string, end time.Time, took time.Duration, hold time.Time) {
	t := s.slots[key]
	t.free = end.Add(max(s.gap, took))
	t.hold = hold
	if !t.due.IsZero() && t.due.Before(t.free) {
		t.due = t.free
	}
}
