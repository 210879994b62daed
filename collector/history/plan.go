package history

import (
	"math"
	"slices"

	"github.com/prometheus/prometheus/storage"

	"thump/collector/history/rollup"
)

// tier is one width in which samples are kept: raw, which has width 0, and the
// roll-ups.
type tier struct {
	width    int64 // of a window, milliseconds
	from, to int64 // it covers (from, to]; nothing if to is not greater
}

// span is the part of a query's time, (from, to], that one tier answers.
type span struct {
	tier     int
	from, to int64
}

// columns are the functions of a range that a roll-up answers as the samples
// do, with what they read of it.
var columns = map[string]rollup.Column{
	"rate": rollup.Edges, "increase": rollup.Edges, "delta": rollup.Edges,
	"min_over_time": rollup.Min, "max_over_time": rollup.Max, "sum_over_time": rollup.Sum,
	"last_over_time": rollup.Last, "present_over_time": rollup.Count, "absent_over_time": rollup.Count,
}

const (
	// A query whose moments are not ends of windows is answered from windows that
	// are shorter than its step, or its range, by these factors.
	stepsOfRollup  = 5
	rangesOfRollup = 20
)

// wish is the widest tier by which a query may be answered: exactly, if all its
// moments and ranges are ends of windows; else if the windows are short against
// its step or range. When in doubt it is 0, the raw samples.
func wish(h *storage.SelectHints, tiers []tier) (wanted int, exact bool) {
	if h == nil || h.Range == 0 && h.Step == 0 {
		return 0, true
	}
	if _, known := columns[h.Func]; h.Range > 0 && !known {
		return 0, true
	}
	for i := len(tiers) - 1; i > 0; i-- {
		w := tiers[i].width
		switch {
		case tiers[i].to <= tiers[i].from:
		case h.Step >= w && onEnds(h, w):
			return i, true
		case h.Range == 0 && h.Step >= stepsOfRollup*w, h.Range >= rangesOfRollup*w && (h.Step == 0 || h.Step >= w):
			return i, false
		}
	}
	return 0, true
}

// onEnds tells whether every moment of a query, and every beginning of its
// ranges, is the end of a window.
func onEnds(h *storage.SelectHints, width int64) bool {
	first := h.Start - 1 + h.Range // the engine asks from just behind the first range
	if h.Range == 0 {
		first += lookback.Milliseconds()
	}
	return first%width == 0 && h.Step%width == 0 && h.Range%width == 0
}

// spans divides all of time among the tiers, so that the wanted one answers what
// it has; later time goes to narrower ones, which reach further, and earlier time
// to wider ones, which keep longer.
func spans(tiers []tier, wanted int) []span {
	for wanted > 0 && tiers[wanted].to <= tiers[wanted].from {
		wanted--
	}
	own := span{wanted, tiers[wanted].from, tiers[wanted].to}
	list := []span{own}
	for i := wanted - 1; i >= 0; i-- {
		if last := list[len(list)-1]; tiers[i].to > last.to {
			list = append(list, span{i, last.to, tiers[i].to})
		}
	}
	list[len(list)-1].to = math.MaxInt64
	for i := wanted + 1; i < len(tiers); i++ {
		t, first := tiers[i], &list[0]
		// Where windows give way to something narrower they must end.
		cut := endAtOrBehind(first.from, t.width)
		if t.from+t.width <= first.from && cut <= t.to {
			first.from = cut
			list = slices.Insert(list, 0, span{i, t.from, cut})
		}
	}
	list[0].from = math.MinInt64
	return list
}

func endAtOrBehind(t, width int64) int64 {
	if rest := t % width; rest != 0 {
		t += width - rest
	}
	return t
}
