package history

import (
	"math"
	"reflect"
	"testing"

	"github.com/prometheus/prometheus/storage"
)

const (
	minute = int64(60_000)
	hour   = 60 * minute
)

func TestSpans(t *testing.T) {
	const first, last = math.MinInt64, math.MaxInt64
	full := []tier{{0, 400*hour + 7, last}, {5 * minute, 200 * hour, 480 * hour}, {hour, 0, 440 * hour}}
	for name, test := range map[string]struct {
		tiers  []tier
		wanted int
		want   []span
	}{
		"raw first":            {full, 0, []span{{2, first, 200 * hour}, {1, 200 * hour, 400*hour + 5*minute}, {0, 400*hour + 5*minute, last}}},
		"five minutes first":   {full, 1, []span{{2, first, 200 * hour}, {1, 200 * hour, 480 * hour}, {0, 480 * hour, last}}},
		"hours first":          {full, 2, []span{{2, first, 440 * hour}, {1, 440 * hour, 480 * hour}, {0, 480 * hour, last}}},
		"no roll-ups yet":      {[]tier{{0, 9, last}, {5 * minute, 0, 0}, {hour, 0, 0}}, 2, []span{{0, first, last}}},
		"raw has all":          {[]tier{{0, 9, last}, {5 * minute, 0, 48 * hour}, {hour, 0, 0}}, 0, []span{{0, first, last}}},
		"no hours yet":         {[]tier{{0, 9, last}, {5 * minute, 0, 48 * hour}, {hour, 0, 0}}, 2, []span{{1, first, 48 * hour}, {0, 48 * hour, last}}},
		"hours alone are left": {[]tier{{0, 400 * hour, last}, {5 * minute, 0, 0}, {hour, 0, 440 * hour}}, 0, []span{{2, first, 400 * hour}, {0, 400 * hour, last}}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := spans(test.tiers, test.wanted); !reflect.DeepEqual(got, test.want) {
				t.Errorf("got  %v\nwant %v", got, test.want)
			}
		})
	}
}

func TestWish(t *testing.T) {
	tiers := []tier{{0, 0, math.MaxInt64}, {5 * minute, 0, 480 * hour}, {hour, 0, 440 * hour}}
	for name, test := range map[string]struct {
		fn                string
		first, step, span int64 // the first moment, the step, the range
		tier              int
		exact             bool
	}{
		"one moment":               {"", 100 * hour, 0, 0, 0, true},
		"one moment, long range":   {"increase", 100*hour + 7, 0, 30 * 24 * hour, 2, false},
		"one moment, short range":  {"increase", 100*hour + 7, 0, hour, 0, true},
		"fine step":                {"", 100 * hour, minute, 0, 0, true},
		"on ends of 5 m":           {"", 100*hour + 5*minute, 10 * minute, 0, 1, true},
		"on ends of 1 h":           {"", 100 * hour, 6 * hour, 0, 2, true},
		"off ends, wide step":      {"", 100*hour + 7, 6 * hour, 0, 2, false},
		"off ends, narrow step":    {"", 100*hour + 7, 10 * minute, 0, 0, true},
		"rate on ends":             {"rate", 100 * hour, hour, 5 * minute, 1, true},
		"rate over hours":          {"rate", 100 * hour, hour, 2 * hour, 2, true},
		"rate off ends":            {"rate", 100*hour + 1, hour, 5 * minute, 0, true},
		"not known":                {"quantile_over_time", 100 * hour, 24 * hour, 24 * hour, 0, true},
		"range is no whole number": {"max_over_time", 100 * hour, hour, 7 * minute, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			back := test.span
			if back == 0 {
				back = lookback.Milliseconds()
			}
			h := &storage.SelectHints{Func: test.fn, Start: test.first - back + 1, Step: test.step, Range: test.span}
			if tier, exact := wish(h, tiers); tier != test.tier || exact != test.exact {
				t.Errorf("tier %d, exact %v; want %d, %v", tier, exact, test.tier, test.exact)
			}
		})
	}
}
