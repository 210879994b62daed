package alerting

import "time"

const (
	// A cut is opened when, as a host falls silent, so many of those that reported
	// are late too: at least cutLeast hosts and a fifth of all, or at least
	// siteLeast hosts and half of a site.
	cutLeast, cutShare   = 10, 0.2
	siteLeast, siteShare = 3, 0.5

	// cutLate is how far past its interval a host counts as late.
	cutLate = time.Second
	// cutJoin is for how long after the last one another host that falls silent
	// belongs to a cut: longer than any usual interval.
	cutJoin = time.Minute
)

// everywhere is the scope of all hosts; the other scopes are sites.
const everywhere = ""

// cuts are hosts that fell silent together: their network is gone, not they. By
// scope: everywhere, or a site.
type cuts map[string]*cut

type cut struct {
	hosts  map[string]bool // that are silent still
	joined time.Time       // when the last one fell
}

// fallen is a host that fell silent, or is late and about to.
type fallen struct {
	name, site string
	silent     bool
}

func (f *fallen) scopes() []string {
	if f.site == "" {
		return []string{everywhere}
	}
	return []string{everywhere, f.site}
}

// least is how many hosts make a cut of a scope that has so many.
func least(scope string, hosts int) int {
	if scope == everywhere {
		return max(cutLeast, int(cutShare*float64(hosts)))
	}
	return max(siteLeast, int(siteShare*float64(hosts)))
}

// fall takes the hosts that fell silent at now and those that are late, and how
// many reported before by scope.
func (c cuts) fall(now time.Time, hosts []fallen, reported map[string]int) {
	count := map[string]int{}
	for i := range hosts {
		for _, s := range hosts[i].scopes() {
			count[s]++
		}
	}
	for s, n := range count {
		if c[s] == nil && n >= least(s, reported[s]) {
			c[s] = &cut{hosts: map[string]bool{}, joined: now}
		}
	}
	for i := range hosts {
		if hosts[i].silent {
			c.join(now, &hosts[i])
		}
	}
}

func (c cuts) join(now time.Time, f *fallen) {
	for _, s := range f.scopes() {
		if k := c[s]; k != nil && now.Sub(k.joined) <= cutJoin {
			k.hosts[f.name], k.joined = true, now
		}
	}
}

// leave takes a host out that is back, or retired.
func (c cuts) leave(name string) {
	for _, k := range c {
		delete(k.hosts, name)
	}
}

// close ends the cuts of which too few hosts are left, once no more join, and
// returns their scopes: who is silent still has a trouble of its own.
func (c cuts) close(now time.Time) []string {
	var closed []string
	for s, k := range c {
		if len(k.hosts) < least(s, 0) && (now.Sub(k.joined) > cutJoin || len(k.hosts) == 0) {
			closed = append(closed, s)
			delete(c, s)
		}
	}
	return closed
}

// has tells whether a host belongs to any cut.
func (c cuts) has(name string) bool {
	for _, k := range c {
		if k.hosts[name] {
			return true
		}
	}
	return false
}
