package agent

import (
	"slices"
	"testing"
	"time"
)

var start = time.Date(2026, 11, 21, 12, 0, 3, 400e6, time.UTC)

func at(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }

func TestScheduleTicks(t *testing.T) {
	s := schedule{start: start, interval: 5 * time.Second, offset: 1500 * time.Millisecond} // ticks at …:01.5, …:06.5
	var got []float64
	for tick, i := start, 0; i < 5; i++ {
		tick, _ = s.next(tick, tick.Add(20*time.Millisecond))
		got = append(got, tick.Sub(start).Seconds())
	}
	if want := []float64{1, 2, 3.1, 8.1, 13.1}; !slices.Equal(got, want) {
		t.Errorf("ticks after the start at %v, want %v", got, want)
	}
}

func TestScheduleNext(t *testing.T) {
	s := schedule{start: start, interval: 5 * time.Second, offset: 1500 * time.Millisecond}
	tests := []struct {
		name      string
		tick, now float64 // seconds from start
		next      float64
		skipped   int
	}{
		{"at once", 8.1, 8.2, 13.1, 0},
		{"timer fired early", 8.1, 8.09, 13.1, 0},
		{"just in time", 8.1, 13.1, 13.1, 0},
		{"one late", 8.1, 13.2, 18.1, 1},
		{"three late", 8.1, 23.2, 28.1, 3},
		{"late in the warm-up", 0, 1.5, 2, 1},
		{"late beyond the warm-up", 0, 4, 8.1, 1},
		{"clock set forward a year", 8.1, 8.1 + 365*86400, 8.1 + 365*86400 + 5, 365 * 86400 / 5},
		{"clock set back an hour", 3608.1, 9, 13.1, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			next, skipped := s.next(at(tt.tick), at(tt.now))
			if !next.Equal(at(tt.next)) {
				t.Errorf("next after %v s, want %v", next.Sub(start).Seconds(), tt.next)
			}
			if skipped != tt.skipped {
				t.Errorf("%d skipped, want %d", skipped, tt.skipped)
			}
		})
	}
}

// TestScheduleOffset: the same for a host at each start, and in all its probes;
// spread over hosts.
func TestScheduleOffset(t *testing.T) {
	five, thirty := newSchedule("web01", 5*time.Second, start), newSchedule("web01", 30*time.Second, at(7))
	if again := newSchedule("web01", 5*time.Second, at(100)); again.offset != five.offset {
		t.Errorf("offset %v at one start, %v at another", five.offset, again.offset)
	}
	if thirty.offset%five.interval != five.offset {
		t.Errorf("offsets %v every 5 s and %v every 30 s do not meet", five.offset, thirty.offset)
	}
	quarters := map[time.Duration]int{}
	for i := range 1000 {
		quarters[newSchedule(string(rune('a'+i%26))+string(rune('0'+i/26)), 5*time.Second, start).offset/(1250*time.Millisecond)]++
	}
	for q := range time.Duration(4) {
		if quarters[q] < 150 {
			t.Errorf("%d of 1000 hosts in quarter %d", quarters[q], q)
		}
	}
}
