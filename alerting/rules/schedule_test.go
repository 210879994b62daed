package rules

import (
	"testing"
	"time"
)

// ms is a time in the test's own day.
func ms(n int) time.Time {
	return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(time.Duration(n) * time.Millisecond)
}

func TestSchedule(t *testing.T) {
	const gap = 100 * time.Millisecond
	type step struct {
		at    int // milliseconds
		do    func(*schedule, time.Time)
		next  int // when the next is due; -1: none is
		cause Cause
	}
	wish := func(c Cause) func(*schedule, time.Time) {
		return func(s *schedule, now time.Time) { s.wish("g", c, now) }
	}
	evaluate := func(took, hold int) func(*schedule, time.Time) {
		return func(s *schedule, now time.Time) {
			if _, _, ok := s.take(now); !ok {
				t.Errorf("nothing is due at %s", now)
			}
			end := time.Time{}
			if hold > 0 {
				end = ms(hold)
			}
			s.done("g", now.Add(time.Duration(took)*time.Millisecond), time.Duration(took)*time.Millisecond, end)
		}
	}
	cases := []struct {
		name  string
		steps []step
	}{
		{"an arrival settles", []step{
			{0, wish(Arrival), 20, Arrival},
			{5, wish(Arrival), 20, Arrival},
			{20, evaluate(1, 0), -1, ""},
		}},
		{"one evaluation in a gap", []step{
			{0, wish(Timer), 0, Timer},
			{0, evaluate(10, 0), -1, ""},
			{15, wish(Arrival), 110, Arrival},
			{90, wish(Arrival), 110, Arrival},
			{110, evaluate(1, 0), -1, ""},
		}},
		{"a slow group is busy half of the time", []step{
			{0, wish(Timer), 0, Timer},
			{0, evaluate(300, 0), -1, ""},
			{310, wish(Arrival), 600, Arrival},
		}},
		{"an arrival during an evaluation waits for the gap", []step{
			{0, wish(Timer), 0, Timer},
			{0, func(s *schedule, now time.Time) {
				s.take(now)
				s.wish("g", Arrival, ms(5))
				s.done("g", ms(10), 10*time.Millisecond, time.Time{})
			}, 110, Arrival},
		}},
		{"silence does not settle", []step{
			{0, wish(Arrival), 20, Arrival},
			{1, wish(Silence), 1, Silence},
		}},
		{"a for ends", []step{
			{0, wish(Arrival), 20, Arrival},
			{20, evaluate(1, 5000), 5000, Hold},
			{300, wish(Arrival), 320, Arrival},
			{320, evaluate(1, 5000), 5000, Hold},
			{5000, evaluate(1, 0), -1, ""},
		}},
		{"a for ends within the gap", []step{
			{0, wish(Timer), 0, Timer},
			{0, evaluate(1, 30), 101, Hold},
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := newSchedule(gap)
			s.keep(map[string]time.Duration{"g": settle})
			for _, st := range c.steps {
				st.do(s, ms(st.at))
				at, ok := s.next()
				if ok != (st.next >= 0) || ok && !at.Equal(ms(st.next)) {
					t.Fatalf("after %d ms: next %v at %s, want %d", st.at, ok, at.Sub(ms(0)), st.next)
				}
				if slot := s.slots["g"]; ok && slot.hold.IsZero() && slot.cause != st.cause {
					t.Errorf("after %d ms: cause %s, want %s", st.at, slot.cause, st.cause)
				}
			}
		})
	}
}

func TestScheduleCounts(t *testing.T) {
	s := newSchedule(0)
	s.keep(map[string]time.Duration{"g": settle})
	for range 5 {
		s.wish("g", Arrival, ms(0))
	}
	s.wish("gone", Arrival, ms(0))
	if s.coalesced != 4 {
		t.Errorf("%d wishes coalesced, want 4", s.coalesced)
	}
	if _, _, ok := s.take(ms(19)); ok {
		t.Error("evaluated before it settled")
	}
	if key, c, ok := s.take(ms(20)); !ok || key != "g" || c != Arrival {
		t.Errorf("take: %s %s %t", key, c, ok)
	}
}

func TestEvaluationTimeMovesForward(t *testing.T) {
	s := newSchedule(0)
	s.keep(map[string]time.Duration{"g": 0})
	last := time.Time{}
	for _, now := range []int{10, 20, 20, 5, 6, 30} { // the clock is set back once
		at := s.timeOf("g", ms(now))
		if !at.After(last) {
			t.Errorf("evaluated for %s after %s", at, last)
		}
		last = at
		s.keep(map[string]time.Duration{"g": 0, "other": 0}) // a reload changes nothing of it
	}
	if !last.Equal(ms(30)) {
		t.Errorf("in the end evaluated for %s, want %s", last, ms(30))
	}
}
