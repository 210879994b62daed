package notify

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/common/model"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func minutes(n int) time.Time { return noon.Add(time.Duration(n) * time.Minute) }

// sample is an alert of a host that began and ends at minutes after noon.
func sample(host string, from, to int) *alert.Alert {
	return &alert.Alert{Alert: model.Alert{
		Labels:      model.LabelSet{"alertname": "A", "instance": model.LabelValue(host)},
		Annotations: model.LabelSet{"summary": "s"},
		StartsAt:    minutes(from), EndsAt: minutes(to),
	}}
}

func TestLedgerNotesChanges(t *testing.T) {
	l, err := openLedger(filepath.Join(t.TempDir(), "none"), noon)
	if err != nil {
		t.Fatal(err)
	}
	steps := []struct {
		why       string
		now       int
		say       *alert.Alert
		want      int  // changes
		resolved  bool // the change
		wantStart int
	}{
		{"fires", 0, sample("a", 0, 4), 1, false, 0},
		{"goes on", 1, sample("a", 0, 5), 0, false, 0},
		{"goes on with a later start, after a restart", 2, sample("a", 2, 6), 0, false, 0},
		{"another fires", 2, sample("b", 2, 6), 1, false, 2},
		{"ends", 3, sample("a", 2, 3), 1, true, 0},
		{"is said to have ended once more", 4, sample("a", 2, 3), 0, false, 0},
		{"ends without having fired", 4, sample("c", 2, 3), 0, false, 0},
		{"fires again", 5, sample("a", 5, 9), 1, false, 5},
	}
	for _, s := range steps {
		got := l.note([]*alert.Alert{s.say}, minutes(s.now))
		if len(got) != s.want {
			t.Fatalf("%s: %d changes, want %d", s.why, len(got), s.want)
		}
		if s.want == 1 && (got[0].ResolvedAt(minutes(s.now)) != s.resolved || !got[0].StartsAt.Equal(minutes(s.wantStart))) {
			t.Errorf("%s: %+v", s.why, got[0])
		}
	}
	if got := l.expire(minutes(5)); len(got) != 0 {
		t.Errorf("expired too soon: %v", got)
	}
	if got := l.expire(minutes(6)); len(got) != 1 || got[0].Labels["instance"] != "b" {
		t.Errorf("expired %v, want b, of which nobody speaks any more", got)
	}
	if got := l.all(); len(got) != 1 || got[0].Labels["instance"] != "a" {
		t.Errorf("firing %v, want a", got)
	}
}

func TestLedgerSurvives(t *testing.T) {
	path := filepath.Join(t.TempDir(), "firing.json")
	l, err := openLedger(path, noon)
	if err != nil {
		t.Fatal(err)
	}
	l.note([]*alert.Alert{sample("a", 0, 4), sample("b", 0, 4)}, noon)
	l.note([]*alert.Alert{sample("b", 0, 1)}, minutes(1))
	var b bytes.Buffer
	if _, err := l.write(&b); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}

	l, err = openLedger(path, minutes(60)) // an hour later
	if err != nil {
		t.Fatal(err)
	}
	got := l.all()
	if len(got) != 1 || got[0].Labels["instance"] != "a" || got[0].Annotations["summary"] != "s" || !got[0].StartsAt.Equal(noon) {
		t.Fatalf("firing %v, want a", got)
	}
	if changed := l.note([]*alert.Alert{sample("a", 60, 64)}, minutes(60)); len(changed) != 0 {
		t.Errorf("what fires as before changed: %v", changed)
	}
	l, _ = openLedger(path, minutes(60))
	if early, late := l.expire(minutes(64)), l.expire(minutes(65)); len(early) != 0 || len(late) != 1 {
		t.Errorf("what ended while nobody looked: %d after 4 minutes, %d after 5, want 0 and 1", len(early), len(late))
	}
}

func TestLedgerRefusesNonsense(t *testing.T) {
	for content, want := range map[string]string{
		`{"version": 2}`: "version 2, want 1",
		`{"vers`:         "unexpected end of JSON",
	} {
		path := filepath.Join(t.TempDir(), "firing.json")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := openLedger(path, noon); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want %q", content, err, want)
		}
	}
}
