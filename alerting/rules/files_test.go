package rules

import (
	"io"
	"log/slog"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"github.com/prometheus/prometheus/model/labels"
)

func readString(t *testing.T, content string) *Set {
	t.Helper()
	fsys := fstest.MapFS{"r.yml": {Data: []byte(content)}}
	s, err := ReadFS(fsys, "*.yml", slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestLookback(t *testing.T) {
	cases := []struct {
		expr string
		want time.Duration
	}{
		{"a", 5 * time.Minute},
		{"rate(a[10m])", 15 * time.Minute},
		{"rate(a[10m] offset 1h)", 75 * time.Minute},
		{"a + rate(b[30m])", 35 * time.Minute},
		{"max_over_time(rate(a[5m])[1h:1m])", 70 * time.Minute},
		{"max_over_time(rate(a[5m])[1h:1m] offset 2h)", 190 * time.Minute},
		{"predict_linear(a[6h], 86400) < 0", 6*time.Hour + 5*time.Minute},
		{"vector(1)", 5 * time.Minute},
	}
	for _, c := range cases {
		s := readString(t, "groups: [{name: g, rules: [{alert: A, expr: '"+c.expr+"'}]}]")
		if got := s.Lookback(); got != c.want {
			t.Errorf("%s looks back %s, want %s", c.expr, got, c.want)
		}
	}
	s := readString(t, "groups: [{name: g, query_offset: 10m, rules: [{alert: A, expr: a}]}]")
	if got, want := s.Lookback(), 15*time.Minute; got != want {
		t.Errorf("with a query offset of 10m looks back %s, want %s", got, want)
	}
}

func TestReaders(t *testing.T) {
	s := readString(t, `groups:
- {name: up, rules: [{alert: A, expr: 'up{job="node"} == 0'}]}
- {name: disk, rules: [{alert: B, expr: 'avail{fstype!~"tmpfs|nfs"} / size < 0.1'}, {alert: C, expr: 'avail < 5'}]}
- {name: wild, rules: [{alert: D, expr: '{__name__=~"thump_.*"} > 1'}]}`)
	cases := []struct {
		series []string
		want   []string
	}{
		{[]string{"__name__", "up", "job", "node"}, []string{"r.yml;up"}},
		{[]string{"__name__", "up", "job", "x"}, nil},
		{[]string{"__name__", "avail", "fstype", "ext4"}, []string{"r.yml;disk"}},
		{[]string{"__name__", "avail", "fstype", "nfs"}, []string{"r.yml;disk"}}, // C reads it
		{[]string{"__name__", "size"}, []string{"r.yml;disk"}},
		{[]string{"__name__", "thump_x"}, []string{"r.yml;wild"}},
		{[]string{"__name__", "other"}, nil},
	}
	for _, c := range cases {
		if got := s.Readers(nil, labels.FromStrings(c.series...)); !slices.Equal(got, c.want) {
			t.Errorf("%v is read by %v, want %v", c.series, got, c.want)
		}
	}
	if !s.Reads("anything") {
		t.Error("a selector without a name may read anything")
	}
	s = readString(t, "groups: [{name: g, rules: [{alert: A, expr: a}]}]")
	if s.Reads("b") || !s.Reads("a") {
		t.Error("a is read and b is not")
	}
}
