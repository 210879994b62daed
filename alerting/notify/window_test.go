package notify

import (
	"testing"
	"time"

	"thump/internal/config"
)

// TestOverlappingWindows: the last that began counts, so that its silence is there
// before the one of the window before it ends.
func TestOverlappingWindows(t *testing.T) {
	p, err := Window{
		ID: "w", Matchers: []string{`a="b"`}, Schedule: "0 * * * *", TimeZone: "Asia/Kolkata", Duration: config.Duration(90 * time.Minute), By: "ann",
	}.check()
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string]string{"09:29": "08:30", "09:30": "09:30", "10:00": "09:30", "10:31": "10:30"} {
		p.begun = time.Time{}
		for range 2 { // anew, and knowing what it has found
			if got := p.begin(clock(t, at)); !got.Equal(clock(t, want)) {
				t.Errorf("the window open at %s began at %v, want %s", at, got.UTC(), want)
			}
			p.begun = clock(t, "08:30")
		}
	}
	p.begun = time.Time{}
	p.Duration = config.Duration(10 * time.Minute)
	if got := p.begin(clock(t, "09:41")); !got.IsZero() {
		t.Errorf("the window that ended at 09:40 is open since %v", got)
	}
}

func clock(t *testing.T, hour string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, "2026-03-01T"+hour+":00Z")
	if err != nil {
		t.Fatal(err)
	}
	return at
}
