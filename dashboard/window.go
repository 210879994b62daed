package dashboard

import (
	"math"
	"time"
)

// A spark is a short line of the recent past: one value per sparkStep.
const (
	sparkStep   = 5 * time.Second
	sparkPoints = 60
)

type spark struct {
	values [sparkPoints]float32 // of the step n at n % sparkPoints
	end    int64                // the newest step with a value, in steps since 1970
}

// add keeps a value, the newest of each step.
func (s *spark) add(v float64, now time.Time) {
	if math.IsNaN(v) {
		return
	}
	step := now.UnixNano() / int64(sparkStep)
	for n := max(s.end+1, step-sparkPoints); n < step; n++ {
		s.values[n%sparkPoints] = float32(math.NaN())
	}
	s.values[step%sparkPoints], s.end = float32(v), step
}

// list returns the values, oldest first, and when the newest was.
func (s *spark) list() (values []figure, end time.Time) {
	if s.end == 0 {
		return nil, time.Time{}
	}
	for n := s.end - sparkPoints + 1; n <= s.end; n++ {
		values = append(values, figure(s.values[n%sparkPoints]))
	}
	return values, time.Unix(0, s.end*int64(sparkStep))
}

// rateSeconds is over how many whole seconds the rate of samples is measured.
const rateSeconds = 10

// rate counts events over the last seconds.
type rate struct {
	counts [rateSeconds + 1]int // of the second n at n % len(counts)
	first  int64                // the second of the first event
	last   int64                // the newest second, still being counted
}

func (r *rate) add(n int, now time.Time) {
	r.advance(now.Unix())
	r.counts[r.last%int64(len(r.counts))] += n
	if r.first == 0 {
		r.first = r.last
	}
}

func (r *rate) advance(second int64) {
	for n := max(r.last+1, second-rateSeconds); n <= second; n++ {
		r.counts[n%int64(len(r.counts))] = 0
	}
	r.last = max(r.last, second)
}

// perSecond is the mean over the last whole seconds, or the count of the present
// one before there is any.
func (r *rate) perSecond(now time.Time) float64 {
	r.advance(now.Unix())
	seconds := min(rateSeconds, r.last-r.first)
	if seconds == 0 {
		return float64(r.counts[r.last%int64(len(r.counts))])
	}
	sum := 0
	for n := r.last - seconds; n < r.last; n++ {
		sum += r.counts[n%int64(len(r.counts))]
	}
	return float64(sum) / float64(seconds)
}
