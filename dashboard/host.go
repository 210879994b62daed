package dashboard

import (
	"strconv"
	"time"

	"thump/internal/telemetry"
)

// host is one host with the latest value of each of its series.
type host struct {
	name    string
	group   string
	probes  map[string]time.Duration // interval of each probe that says one
	seen    time.Time
	silent  bool
	changed bool // it is in the fleet's list of changed hosts
	series  map[string]*series
	byRole  [roles][]*series
	glance  glance
	key     []byte // scratch of find
}

// series is one series of a host: its latest sample and the one before, of
// which a rate is made.
type series struct {
	ref        uint32 // names it in the stream
	definition []byte // JSON: ref,"name",{"label":"value"}
	role       role
	mountpoint string // if it is of a file system
	last, prev telemetry.Sample
	samples    int       // 0, 1, or 2 for more: whether last and prev are set
	arrived    time.Time // of last
}

// point is a sample of the series named by ref.
type point struct {
	ref uint32
	telemetry.Sample
}

func newHost(name string) *host {
	return &host{name: name, probes: map[string]time.Duration{}, series: map[string]*series{}, glance: unknown()}
}

// mostProbes bounds what is remembered of a host that makes up probes.
const mostProbes = 256

func (h *host) setInterval(probe string, every time.Duration) {
	if _, known := h.probes[probe]; every > 0 && (known || len(h.probes) < mostProbes) {
		h.probes[probe] = every
	}
}

// interval is that of its most frequent probe; zero if none says.
func (h *host) interval() (least time.Duration) {
	for _, every := range h.probes {
		if least == 0 || every < least {
			least = every
		}
	}
	return least
}

// slowest is the interval of its least frequent probe.
func (h *host) slowest() (most time.Duration) {
	for _, every := range h.probes {
		most = max(most, every)
	}
	return most
}

// find looks a series up by its labels.
func (h *host) find(in *telemetry.Series) *series {
	h.key = h.key[:0]
	for _, l := range in.Labels {
		h.key = append(append(h.key, l.Name...), 0xff) // not in UTF-8
		h.key = append(append(h.key, l.Value...), 0xff)
	}
	return h.series[string(h.key)]
}

// add keeps the series that find was just called for and did not find.
func (h *host) add(in *telemetry.Series, ref uint32) *series {
	s := &series{ref: ref, definition: h.definition(in, ref), role: roleOf(in), mountpoint: in.Get("mountpoint")}
	h.series[string(h.key)] = s
	if s.role != noRole {
		h.byRole[s.role] = append(h.byRole[s.role], s)
	}
	return s
}

// definition leaves out the labels that each series of the host has.
func (h *host) definition(in *telemetry.Series, ref uint32) []byte {
	labels := map[string]string{}
	for _, l := range in.Labels {
		switch l {
		case telemetry.Label{Name: "instance", Value: h.name}, telemetry.Label{Name: "group", Value: h.group},
			telemetry.Label{Name: "job", Value: "node"}, telemetry.Label{Name: telemetry.NameLabel, Value: in.Name()}:
		default:
			labels[l.Name] = l.Value
		}
	}
	b := append(strconv.AppendUint(nil, uint64(ref), 10), ',')
	b = append(append(b, mustJSON(in.Name())...), ',')
	return append(b, mustJSON(labels)...)
}

// forget drops the series that last arrived before t.
func (h *host) forget(t time.Time) {
	for key, s := range h.series {
		if !s.arrived.Before(t) {
			continue
		}
		delete(h.series, key)
		if s.role != noRole {
			h.byRole[s.role] = without(h.byRole[s.role], s)
		}
	}
}

func without(list []*series, s *series) []*series {
	kept := list[:0]
	for _, x := range list {
		if x != s {
			kept = append(kept, x)
		}
	}
	clear(list[len(kept):])
	return kept
}

// skew is how far ahead of ours a host's clock may be before its samples count
// as wrong in time, and earlier ones are taken after them.
const skew = time.Minute

// take keeps a sample if it is news: a backlog that comes late is not shown.
func (s *series) take(p telemetry.Sample, now time.Time) bool {
	if s.samples > 0 && p.Time <= s.last.Time && s.last.Time <= now.Add(skew).UnixMilli() {
		return false
	}
	s.prev, s.last, s.arrived = s.last, p, now
	s.samples = min(s.samples+1, 2)
	return true
}

// increase is how much a counter grew between its last two samples, and in how
// many seconds; a counter that was reset counts from zero.
func (s *series) increase() (grown, seconds float64) {
	seconds = float64(s.last.Time-s.prev.Time) / 1000
	if s.samples < 2 || seconds <= 0 {
		return 0, 0
	}
	grown = s.last.Value - s.prev.Value
	if grown < 0 {
		grown = s.last.Value
	}
	return grown, seconds
}
