package store_test

import (
	"context"
	"io"
	"log/slog"
	"math"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"go.uber.org/goleak"

	"thump/alerting/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(dir, time.Hour, slog.New(slog.NewTextHandler(io.Discard, nil)), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func series(name string) *store.Series {
	return &store.Series{Labels: labels.FromStrings("__name__", name, "instance", "a")}
}

func TestAppend(t *testing.T) {
	s := open(t, t.TempDir())
	defer s.Close()
	now := time.Now().UnixMilli()
	a, b := series("a"), series("b")
	steps := []struct {
		why     string
		samples []store.Sample
		want    store.Outcome
	}{
		{"in order", []store.Sample{{a, now - 2000, 1}, {a, now - 1000, 2}, {b, now - 1000, 3}}, store.Outcome{Stored: 3}},
		{"delivered again", []store.Sample{{a, now - 1000, 2}, {b, now - 1000, 3}}, store.Outcome{Stored: 2}},
		{"another value", []store.Sample{{a, now - 1000, 7}}, store.Outcome{Repeat: 1}},
		{"late", []store.Sample{{a, now - 60_000, 0}}, store.Outcome{Stored: 1}},
		{"too late", []store.Sample{{a, now - 3*3600_000, 0}, {b, now - 500, 4}}, store.Outcome{Stored: 1, Late: 1}},
		{"from the future", []store.Sample{{a, now + 1e12, 5}}, store.Outcome{Stored: 1, Ahead: 1}},
		{"not a number", []store.Sample{{b, now - 400, math.NaN()}}, store.Outcome{Stored: 1}},
		{"nothing", nil, store.Outcome{}},
	}
	for _, st := range steps {
		got, err := s.Append(t.Context(), st.samples)
		if err != nil || got != st.want {
			t.Errorf("%s: %+v %v, want %+v", st.why, got, err, st.want)
		}
	}
}

func TestLastAfterRestart(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	now := time.Now().Truncate(time.Millisecond)
	up, single := series("up"), series("up2")
	for _, ago := range []time.Duration{30, 20, 5} {
		if _, err := s.Append(t.Context(), []store.Sample{{up, now.Add(-ago * time.Second).UnixMilli(), 1}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Append(t.Context(), []store.Sample{{single, now.Add(-time.Minute).UnixMilli(), 1}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = open(t, dir)
	defer s.Close()
	got := last(t.Context(), t, s, now.Add(-time.Hour), "up")
	if len(got) != 1 || !got[0].Time.Equal(now.Add(-5*time.Second)) || got[0].Step != 15*time.Second || got[0].Labels.Get("instance") != "a" {
		t.Errorf("end of up: %+v", got)
	}
	if got := last(t.Context(), t, s, now.Add(-time.Hour), "up2"); len(got) != 1 || got[0].Step != 0 {
		t.Errorf("end of a series with one sample: %+v", got)
	}
	if got := last(t.Context(), t, s, now.Add(-2*time.Second), "up"); len(got) != 0 {
		t.Errorf("end of a series that does not reach so far: %+v", got)
	}
}

func last(ctx context.Context, t *testing.T, s *store.Store, since time.Time, name string) []store.Last {
	t.Helper()
	l, err := s.Last(ctx, since, labels.MustNewMatcher(labels.MatchEqual, "__name__", name))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestKeep(t *testing.T) {
	s := open(t, t.TempDir())
	defer s.Close()
	a := series("a")
	now := time.Now().UnixMilli()
	old := store.Sample{Series: a, Time: now - 3*3600_000, Value: 1}
	if o, err := s.Append(t.Context(), []store.Sample{{a, now, 1}, old}); err != nil || o.Late != 1 {
		t.Fatalf("%+v %v, want one late", o, err)
	}
	if err := s.Keep(6 * time.Hour); err != nil {
		t.Fatal(err)
	}
	if o, err := s.Append(t.Context(), []store.Sample{old}); err != nil || o.Stored != 1 {
		t.Errorf("after keeping for longer: %+v %v, want it stored", o, err)
	}
}
