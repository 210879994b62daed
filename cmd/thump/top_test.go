package main

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
)

var colours = regexp.MustCompile("\x1b\\[[0-9;]*m")

// drawn is what the screen shows, without colours.
func drawn(s *topScreen) []string {
	return strings.Split(colours.ReplaceAllString(s.View().Content, ""), "\n")
}

func press(s *topScreen, keys string) {
	for _, k := range keys {
		s.Update(tea.KeyPressMsg(tea.Key{Code: k, Text: string(k)}))
	}
}

func seen(name string, cpu, disk float64, silent bool) topHost {
	return topHost{Name: name, Group: "web", CPU: &cpu, Disk: &disk, DiskAt: "/", Cores: 4, Silent: silent}
}

func topOf(hosts ...topHost) *topScreen {
	s := newTopScreen("http://here")
	s.Update(tea.WindowSizeMsg{Width: 140, Height: 20})
	s.Update(topSnapshot{Link: true, Hosts: hosts})
	return s
}

// order is the first letter of each host shown, top to bottom.
func order(s *topScreen) string {
	var names strings.Builder
	for _, h := range s.shown() {
		names.WriteString(h.Name[:1])
	}
	return names.String()
}

func TestTopSorts(t *testing.T) {
	s := topOf(seen("a", .1, .9, false), seen("b", .5, .2, false), topHost{Name: "c"}, seen("d", .3, .3, false))
	for _, c := range []struct{ keys, want string }{
		{"", "bdac"}, {"d", "adbc"}, {"d", "cbda"}, {"n", "abcd"}, {"n", "dcba"}, {"c", "bdac"},
	} {
		if press(s, c.keys); order(s) != c.want {
			t.Errorf("after %q the order is %s, want %s", c.keys, order(s), c.want)
		}
	}
}

func TestTopFilters(t *testing.T) {
	s := topOf(seen("a1", .1, .9, false), seen("b2", .5, .2, true), seen("q3", .3, .3, false))
	if press(s, "/silent"); order(s) != "b" {
		t.Errorf("filtered by silent it shows %q", order(s))
	}
	s.Update(tea.KeyPressMsg(tea.Key{Code: tea.KeyEscape}))
	if press(s, "/q"); order(s) != "q" {
		t.Errorf("q in the filter is a letter; shown %q", order(s))
	}
}

func TestTopHears(t *testing.T) {
	s := topOf(seen("a", .1, .9, false), seen("b", .5, .2, false))
	s.Update(topRows{[]topHost{seen("b", .05, .2, true)}})
	s.Update(topPulse{Samples: 123})
	if head := drawn(s)[0]; !strings.Contains(head, "2 hosts, 1 silent, 123 samples/s") {
		t.Errorf("the totals are %q", head)
	}
	s.Update(topCut{errors.New("pulled out")})
	if head := drawn(s)[0]; !strings.Contains(head, "cut: pulled out") {
		t.Errorf("a cut is not said: %q", head)
	}
	s.Update(topSnapshot{Link: false, Hosts: []topHost{seen("a", .1, .9, false)}})
	if head := drawn(s)[0]; order(s) != "a" || !strings.Contains(head, "does not hear the bus") {
		t.Errorf("after the snapshot: hosts %q, %q", order(s), head)
	}
	if text := strings.Join(drawn(s), "\n"); !strings.Contains(text, "10.0%") || !strings.Contains(text, "90.0%") {
		t.Errorf("cpu and disk of a are not there:\n%s", text)
	}
}
