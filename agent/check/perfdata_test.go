package check

import (
	"math"
	"testing"
)

func TestPlugin(t *testing.T) {
	tests := []struct {
		name, output, text string
		bad                bool
		want               map[string]float64
	}{
		{"load", "LOAD CRITICAL - total load average: 10.90|load1=10.900;5.000;10.000;0; load5=8.890;4:;~:6;0;", "LOAD CRITICAL - total load average: 10.90", false, map[string]float64{
			`nagios_perfdata{check="a",label="load1"}`:                    10.9,
			`nagios_perfdata_warn{bound="upper",check="a",label="load1"}`: 5,
			`nagios_perfdata_crit{bound="upper",check="a",label="load1"}`: 10,
			`nagios_perfdata_min{check="a",label="load1"}`:                0,
			`nagios_perfdata{check="a",label="load5"}`:                    8.89,
			`nagios_perfdata_warn{bound="lower",check="a",label="load5"}`: 4,
			`nagios_perfdata_crit{bound="upper",check="a",label="load5"}`: 6,
			`nagios_perfdata_min{check="a",label="load5"}`:                0,
		}},
		{"units", "OK | t=250ms;500;@1000:2000 u=3us p=45%;80;90;0;100 d=2KB b=7B m=3MiB c=12c q=1e3foo", "OK", false, map[string]float64{
			`nagios_perfdata{check="a",label="t",unit="seconds"}`:                           0.25,
			`nagios_perfdata_warn{bound="upper",check="a",label="t",unit="seconds"}`:        0.5,
			`nagios_perfdata_crit{bound="inside_lower",check="a",label="t",unit="seconds"}`: 1,
			`nagios_perfdata_crit{bound="inside_upper",check="a",label="t",unit="seconds"}`: 2,
			`nagios_perfdata{check="a",label="u",unit="seconds"}`:                           3e-6,
			`nagios_perfdata{check="a",label="p",unit="ratio"}`:                             0.45,
			`nagios_perfdata_warn{bound="upper",check="a",label="p",unit="ratio"}`:          0.8,
			`nagios_perfdata_crit{bound="upper",check="a",label="p",unit="ratio"}`:          0.9,
			`nagios_perfdata_min{check="a",label="p",unit="ratio"}`:                         0,
			`nagios_perfdata_max{check="a",label="p",unit="ratio"}`:                         1,
			`nagios_perfdata{check="a",label="d",unit="bytes"}`:                             2048,
			`nagios_perfdata{check="a",label="b",unit="bytes"}`:                             7,
			`nagios_perfdata{check="a",label="m",unit="bytes"}`:                             3 << 20,
			`nagios_perfdata{check="a",label="c",unit="total"}`:                             12,
			`nagios_perfdata{check="a",label="q",unit="foo"}`:                               1000,
		}},
		{"quotes and lines", "DISK OK | '/'=1\nmore text\nand more | '/var log'=2 'it''s = here'=3\n'last'=4", "DISK OK", false, map[string]float64{
			`nagios_perfdata{check="a",label="/"}`:           1,
			`nagios_perfdata{check="a",label="/var log"}`:    2,
			`nagios_perfdata{check="a",label="it's = here"}`: 3,
			`nagios_perfdata{check="a",label="last"}`:        4,
		}},
		{"comma and unknown", "OK|a=0,5 b=U c=-1.5s", "OK", false, map[string]float64{
			`nagios_perfdata{check="a",label="a"}`:                0.5,
			`nagios_perfdata{check="a",label="c",unit="seconds"}`: -1.5,
		}},
		{"no perfdata", "PROCS OK: 5 processes", "PROCS OK: 5 processes", false, map[string]float64{}},
		{"malformed", "OK | a=1 b=x c=2 rubbish", "OK", true, map[string]float64{
			`nagios_perfdata{check="a",label="a"}`: 1,
			`nagios_perfdata{check="a",label="c"}`: 2,
		}},
		{"open quote", "OK | a=1 'b=2", "OK", true, map[string]float64{`nagios_perfdata{check="a",label="a"}`: 1}},
		{"empty", "", "", false, map[string]float64{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text, values, err := parsePlugin(tt.output)
			if text != tt.text || (err != nil) != tt.bad {
				t.Errorf("text %q, error %v; want %q, %v", text, err, tt.text, tt.bad)
			}
			got := added(t, func(o *output) error {
				for i := range values {
					values[i].add(o)
				}
				return nil
			})
			compare(t, got, tt.want)
		})
	}
}

func TestRange(t *testing.T) {
	tests := []struct {
		text      string
		good, bad []float64
	}{
		{"10", []float64{0, 10}, []float64{-1, 11}},
		{"10:", []float64{10, 1e9}, []float64{9}},
		{":10", []float64{0, 10}, []float64{-1, 11}},
		{"~:10", []float64{-1e9, 10}, []float64{11}},
		{"10:20", []float64{10, 20}, []float64{9, 21}},
		{"@10:20", []float64{9, 21}, []float64{10, 15, 20}},
		{"@~:0", []float64{1}, []float64{0, -1}},
		{"-5:-2.5", []float64{-3}, []float64{0}},
	}
	for _, tt := range tests {
		r, err := parseRange(tt.text)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range tt.good {
			if !r.Good(v) {
				t.Errorf("%s: %v is bad", tt.text, v)
			}
		}
		for _, v := range tt.bad {
			if r.Good(v) {
				t.Errorf("%s: %v is good", tt.text, v)
			}
		}
	}
	for _, text := range []string{"", "x", "20:10", "1:2:3", "@", "1e999", "inf", "0x10"} {
		if r, err := parseRange(text); err == nil {
			t.Errorf("%q is %v, want an error", text, r)
		}
	}
	if !(Range{}).Good(math.Inf(1)) {
		t.Error("no range has a bad value")
	}
}

func FuzzPlugin(f *testing.F) {
	for _, s := range []string{"OK|a=1;2;3;4;5", "x\ny|'a b'=1ms;@1:2;~:3", "|''''=1 =", "a|b=1e5%;;;;"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		_, values, _ := parsePlugin(s)
		if len(values) > maxPerfdata {
			t.Errorf("%d values", len(values))
		}
		for i := range values {
			if values[i].label == "" || math.IsNaN(values[i].value) {
				t.Errorf("%q gives %+v", s, values[i])
			}
		}
	})
}

func FuzzRange(f *testing.F) {
	f.Add("@~:10", 3.0)
	f.Fuzz(func(t *testing.T, s string, v float64) {
		r, err := parseRange(s)
		if err == nil && (r.low > r.high || math.IsNaN(r.low) || math.IsNaN(r.high)) {
			t.Errorf("%q is %+v", s, r)
		}
		if err == nil && r.Good(v) == (Range{true, r.low, r.high, !r.outside}).Good(v) {
			t.Errorf("%q and its opposite agree on %v", s, v)
		}
	})
}
