package alerting

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"
)

// many are hosts of a site, the first of which have fallen silent already.
func many(site string, n, silent int) []fallen {
	var all []fallen
	for i := range n {
		all = append(all, fallen{fmt.Sprintf("%s%d", site, i), site, i < silent})
	}
	return all
}

func TestCut(t *testing.T) {
	t.Parallel()
	cases := []struct {
		why      string
		hosts    []fallen
		reported map[string]int
		want     []string // scopes
	}{
		{"one host", many("", 1, 1), map[string]int{"": 1000}, nil},
		{"nine of nine", many("", 9, 9), map[string]int{"": 9}, nil},
		{"ten of ten", many("", 10, 1), map[string]int{"": 10}, []string{""}},
		{"ten of a thousand", many("", 10, 10), map[string]int{"": 1000}, nil},
		{"a fifth of a thousand", many("", 200, 1), map[string]int{"": 1000}, []string{""}},
		{"a small site", many("north", 3, 1), map[string]int{"": 1000, "north": 3}, []string{"north"}},
		{"two of a site", many("north", 2, 2), map[string]int{"": 1000, "north": 2}, nil},
		{"half of a site and a fifth of all", many("north", 20, 1), map[string]int{"": 100, "north": 40}, []string{"", "north"}},
		{"less than half of a site", many("north", 19, 19), map[string]int{"": 100, "north": 40}, nil},
	}
	for _, c := range cases {
		k := cuts{}
		k.fall(time.Unix(0, 0), c.hosts, c.reported)
		if got := slices.Sorted(maps.Keys(k)); !slices.Equal(got, c.want) {
			t.Errorf("%s: cut %q, want %q", c.why, got, c.want)
		}
	}
}

func TestCutEnds(t *testing.T) {
	t.Parallel()
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	k, all := cuts{}, many("", 100, 1)
	k.fall(at(0), all, map[string]int{"": 100})
	for i := range all { // the rest fall one after another
		all[i].silent = true
		k.fall(at(i/10), all[i:i+1], map[string]int{"": 100 - i})
	}
	if got := len(k[everywhere].hosts); got != 100 {
		t.Fatalf("%d hosts cut off, want 100", got)
	}
	for i := range 95 {
		k.leave(all[i].name)
	}
	if got := k.close(at(20)); len(got) != 0 {
		t.Errorf("closed %q although more may join", got)
	}
	if !k.has("99") || k.has("0") {
		t.Error("the last is cut off, the first is back")
	}
	if got := k.close(at(80)); !slices.Equal(got, []string{everywhere}) {
		t.Errorf("closed %q, want the one with five hosts left", got)
	}
	k.fall(at(90), many("", 1, 1), map[string]int{"": 100})
	if len(k) != 0 {
		t.Error("one host is no cut")
	}
}
