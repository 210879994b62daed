package rollup

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/prometheus/prometheus/model/value"
)

const five = int64(5 * 60 * 1000)

// windowsOf rolls up points as samples does.
func windowsOf(points []Point, width int64) (windows []Window) {
	var w tally
	for _, p := range points {
		if end := endOf(p.Time, width); end != w.End {
			if w.End != 0 {
				windows = append(windows, w.window())
			}
			w = tally{Window: Window{End: end}}
		}
		w.add(p.Time, p.Value)
	}
	return append(windows, w.window())
}

func TestWindow(t *testing.T) {
	stale := math.Float64frombits(value.StaleNaN)
	for name, test := range map[string]struct {
		points []Point
		want   Window
	}{
		"one":              {[]Point{{7, 3}}, Window{End: five, Count: 1, Sum: 3, Min: 3, Max: 3, First: Point{7, 3}, Last: Point{7, 3}}},
		"end is within":    {[]Point{{five, 3}}, Window{End: five, Count: 1, Sum: 3, Min: 3, Max: 3, First: Point{five, 3}, Last: Point{five, 3}}},
		"counter":          {[]Point{{1, 3}, {2, 9}, {3, 12}}, Window{End: five, Count: 3, Sum: 24, Min: 3, Max: 12, First: Point{1, 3}, Last: Point{3, 12}}},
		"counter resets":   {[]Point{{1, 8}, {2, 9}, {3, 1}, {4, 4}}, Window{End: five, Count: 4, Sum: 22, Min: 1, Max: 9, First: Point{1, 8}, Last: Point{4, 4}, Resets: 9}},
		"ended":            {[]Point{{1, 8}, {2, stale}}, Window{End: five, Count: 1, Sum: 8, Min: 8, Max: 8, First: Point{1, 8}, Last: Point{1, 8}, Stale: 2}},
		"ended and back":   {[]Point{{1, 8}, {2, stale}, {3, 8}}, Window{End: five, Count: 2, Sum: 16, Min: 8, Max: 8, First: Point{1, 8}, Last: Point{3, 8}}},
		"only the mark":    {[]Point{{2, stale}}, Window{End: five, Stale: 2}},
		"infinite is kept": {[]Point{{1, math.Inf(1)}, {2, math.Inf(1)}}, Window{End: five, Count: 2, Sum: math.Inf(1), Min: math.Inf(1), Max: math.Inf(1), First: Point{1, math.Inf(1)}, Last: Point{2, math.Inf(1)}}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := windowsOf(test.points, five); !reflect.DeepEqual(got, []Window{test.want}) {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
		})
	}
	noisy := windowsOf([]Point{{1, 5}, {2, 1}, {3, 5}, {4, 1}}, five)[0]
	if !math.IsNaN(noisy.Resets) {
		t.Errorf("resets of a gauge are %v, want NaN", noisy.Resets)
	}
	number := windowsOf([]Point{{1, math.NaN()}, {2, 1}, {3, math.NaN()}}, five)[0]
	if number.Min != 1 || number.Max != 1 || !math.IsNaN(number.Sum) {
		t.Errorf("with NaN: %+v, want the number as min and max", number)
	}
}

// TestJoinedWindowsAreThoseOfTheSamples rolls up samples to hours, directly and
// by way of five minutes.
func TestJoinedWindowsAreThoseOfTheSamples(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		var points []Point
		at, v := int64(1), 0.0
		for at < 12*five {
			points = append(points, Point{at, v})
			at += 1 + random.Int64N(60_000)
			if v += float64(random.IntN(10)); random.IntN(60) == 0 {
				v = float64(random.IntN(10))
			}
		}
		direct := windowsOf(points, 12*five)[0]
		narrow := windowsOf(points, five)
		joined := narrow[0]
		for i := range narrow[1:] {
			joined.join(&narrow[1+i])
		}
		joined.End = direct.End
		if math.IsNaN(joined.Resets) || math.IsNaN(direct.Resets) { // whether it is a counter is judged by window
			joined.Resets, direct.Resets = 0, 0
		}
		if joined != direct {
			t.Fatalf("joined %+v\ndirect %+v", joined, direct)
		}
	}
}
