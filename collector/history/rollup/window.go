package rollup

import (
	"math"

	"github.com/prometheus/prometheus/model/value"
)

// A Window is what is left of the samples of one series in the time
// (End-width, End], as PromQL cuts its ranges.
type Window struct {
	End   int64 // Unix milliseconds, a multiple of the width
	Count uint64
	Sum   float64
	Min   float64
	Max   float64
	First Point
	Last  Point
	// Resets is the sum of the values from which a counter fell back, 0 if it never
	// did, and NaN if it did so often that it is no counter.
	Resets float64
	// Stale is when the series was marked as ended behind Last, 0 if it was not. A
	// window may hold nothing else.
	Stale int64
}

// A Point is one sample.
type Point struct {
	Time  int64
	Value float64
}

// endOf is the end of the window of a moment.
func endOf(t, width int64) int64 {
	end := t - t%width
	if t > end {
		end += width
	}
	return end
}

// fallsOfCounter is how many samples there are at least for each reset of what
// is still taken for a counter.
const fallsOfCounter = 8

// tally adds up the samples of one window.
type tally struct {
	Window
	falls uint64
}

// add takes the next sample of the window.
func (w *tally) add(t int64, v float64) {
	if value.IsStaleNaN(v) {
		w.Stale = t
		return
	}
	w.Stale = 0
	switch {
	case w.Count == 0:
		w.Min, w.Max, w.First = v, v, Point{t, v}
	case v < w.Last.Value:
		w.falls++
		w.Resets += w.Last.Value
	}
	w.Min, w.Max = least(w.Min, v), greatest(w.Max, v)
	w.Sum += v
	w.Last = Point{t, v}
	w.Count++
}

// window is the sum of what was added.
func (w *tally) window() Window {
	if w.falls > 1 && w.falls*fallsOfCounter > w.Count {
		w.Resets = math.NaN()
	}
	return w.Window
}

// join puts the next window of the same series behind w.
func (w *Window) join(next *Window) {
	if next.Count == 0 {
		w.Stale = next.Stale
		return
	}
	if w.Count == 0 {
		end := w.End
		*w = *next
		w.End = end
		return
	}
	if next.First.Value < w.Last.Value {
		w.Resets += w.Last.Value
	}
	w.Resets += next.Resets
	w.Min, w.Max = least(w.Min, next.Min), greatest(w.Max, next.Max)
	w.Sum += next.Sum
	w.Count += next.Count
	w.Last, w.Stale = next.Last, next.Stale
}

// least and greatest prefer a number to NaN, as min_over_time does.
func least(a, b float64) float64 {
	if b < a || math.IsNaN(a) {
		return b
	}
	return a
}

func greatest(a, b float64) float64 {
	if b > a || math.IsNaN(a) {
		return b
	}
	return a
}
