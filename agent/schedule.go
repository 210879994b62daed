package agent

import (
	"hash/fnv"
	"time"
)

// warmUp is when a probe runs after its start, besides its regular ticks: two
// more samples at once, so that whoever looks sees rates within two seconds.
var warmUp = [...]time.Duration{0, time.Second, 2 * time.Second}

// schedule says when a probe runs. Regular ticks are multiples of the interval on
// the wall clock plus an offset that belongs to the key: probes of one host tick
// together, hosts and checks tick apart, and nothing drifts.
type schedule struct {
	start    time.Time
	interval time.Duration
	offset   time.Duration
}

func newSchedule(key string, interval time.Duration, start time.Time) schedule {
	h := fnv.New64a()
	h.Write([]byte(key)) // a hash returns no error
	return schedule{start: start, interval: interval, offset: time.Duration(h.Sum64() % uint64(interval))}
}

// after returns the first tick after t.
func (s schedule) after(t time.Time) time.Time {
	for _, d := range warmUp {
		if tick := s.start.Add(d); tick.After(t) {
			return tick
		}
	}
	return t.Add(-s.offset).Truncate(s.interval).Add(s.interval + s.offset)
}

// next returns the tick to wait for after the run of tick ended at now, and how
// many ticks passed during that run: they are skipped, never made up for.
func (s schedule) next(tick, now time.Time) (next time.Time, skipped int) {
	next = s.after(tick)
	if next.Sub(now) > 2*s.interval { // the clock was set back, not just slowed down
		return s.after(now), 0
	}
	if next.Before(now) {
		skipped = 1 + int(now.Sub(next)/s.interval)
		next = s.after(now)
	}
	return next, skipped
}
