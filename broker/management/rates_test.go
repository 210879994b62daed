package management

import (
	"testing"
	"time"

	"thump/broker/vhost"
)

func TestGrowth(t *testing.T) {
	start := time.Unix(0, 0)
	before := &sample{at: start, stats: map[string][]stat{"q": {{"publish", 10}}}}
	last := &sample{at: start.Add(5 * time.Second), stats: map[string][]stat{"q": {{"publish", 60}}, "new": {{"publish", 5}}}}
	for _, c := range []struct {
		before, last *sample
		key          string
		want         rate
	}{
		{before, last, "q", 10},
		{before, last, "new", 1}, // it came within the interval
		{before, last, "gone", 0},
		{nil, last, "q", 0}, // the first sample
		{nil, nil, "q", 0},
	} {
		if got := growth(c.before, c.last, c.key, 0); got != c.want {
			t.Errorf("rate of %s is %v, want %v", c.key, got, c.want)
		}
	}
}

func TestRateIsWrittenWithAPoint(t *testing.T) {
	for r, want := range map[rate]string{0: "0.0", 12: "12.0", 0.25: "0.25", -3: "-3.0"} {
		if got, err := r.MarshalJSON(); err != nil || string(got) != want {
			t.Errorf("rate %v is written %s, %v; want %s", float64(r), got, err, want)
		}
	}
}

func TestPropertiesKey(t *testing.T) {
	for key, want := range map[string]string{"": "~", "a.#": "a.%23", "a.%2": "a.%252", "x/%41~": "x%2F%2541%7E"} {
		if got := propertiesKey(vhost.BindingSpec{Key: key}); got != want {
			t.Errorf("properties key of %q is %s, want RabbitMQ's %s", key, got, want)
		}
	}
	a := propertiesKey(vhost.BindingSpec{Key: "k", Args: map[string]any{"n": int64(1)}})
	b := propertiesKey(vhost.BindingSpec{Key: "k", Args: map[string]any{"n": int64(2)}})
	if a == b || a[:2] != "k~" {
		t.Errorf("bindings that differ in arguments have the keys %s and %s", a, b)
	}
}
