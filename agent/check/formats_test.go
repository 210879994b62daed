package check

import (
	"strconv"
	"testing"
	"time"

	"thump/agent/probe"
)

// added are the series that a parser adds.
func added(t *testing.T, add func(o *output) error) map[string]float64 {
	t.Helper()
	o := newOutput("a", nil)
	s := probe.NewSink(nil)
	s.Reset(time.UnixMilli(1))
	o.begin(s)
	if err := add(o); err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, series := range s.Series() {
		got[text(&series)] = series.Samples[0].Value
	}
	return got
}

func TestInflux(t *testing.T) {
	const lines = `cpu,host=web\ 01,core=0 user=1.5,sys=2i,up=t,note="a b,c=d
e" 1700000000000000000
# comment
disk\,io free=3u

net-if.eth0 in=-1e3`
	got := added(t, func(o *output) error { return parseInflux(o, lines) })
	compare(t, got, map[string]float64{
		`cpu_user{core="0",host="web 01"}`: 1.5,
		`cpu_sys{core="0",host="web 01"}`:  2,
		`cpu_up{core="0",host="web 01"}`:   1,
		`disk_io_free{}`:                   3,
		`net_if_eth0_in{}`:                 -1000,
	})
	for _, bad := range []string{"cpu", "cpu user", "cpu user=", "cpu,x user=1", ",a=b c=1", "cpu a=1 now", "cpu a=x"} {
		o := newOutput("a", nil)
		o.begin(probe.NewSink(nil))
		if err := parseInflux(o, bad); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

func TestJSON(t *testing.T) {
	got := added(t, func(o *output) error {
		return parseJSON(o, `[{"name": "orders", "labels": {"shop": "7"}, "value": 1, "timestamp": 1700000000}, {"name": "x", "value": "NaN"}]`)
	})
	if v := got[`orders{shop="7"}`]; v != 1 || len(got) != 2 {
		t.Errorf("got %v", got)
	}
}

// TestLimits: what is too much is an error, and nothing is remembered for good.
func TestLimits(t *testing.T) {
	o := newOutput("a", map[string]string{"site": "b"})
	for run := range 10 {
		s := probe.NewSink(nil)
		s.Reset(time.UnixMilli(1))
		o.begin(s)
		for i := range maxSeries + 1 {
			o.add(&sample{name: "m_" + strconv.Itoa(run) + "_" + strconv.Itoa(i), value: 1})
		}
		if o.err == nil || len(s.Series()) != maxSeries {
			t.Fatalf("%d series, error %v", len(s.Series()), o.err)
		}
		if len(o.known) > maxRemembered+maxSeries {
			t.Fatalf("%d series remembered", len(o.known))
		}
	}
}

func FuzzInflux(f *testing.F) {
	f.Add("cpu,a=b c=1,d=\"x y\" 12\n")
	f.Fuzz(func(t *testing.T, s string) {
		o := newOutput("a", nil)
		o.begin(probe.NewSink(nil))
		_ = parseInflux(o, s) // must end, whatever it says
		if o.count > maxSeries {
			t.Errorf("%d series", o.count)
		}
	})
}
