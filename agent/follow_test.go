package agent

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"thump/internal/bus"
	"thump/internal/config"
	"thump/internal/control"
	"thump/internal/telemetry"
	"thump/internal/vfs"
	"thump/internal/vfs/faulty"
)

// told is what a server sends the host of testConfig.
func told(t *testing.T, host, body string) *bus.Message {
	t.Helper()
	m, err := control.Encode(control.TemplateType, control.HostKey(host), &control.Template{Host: host, Revision: control.Revision(body), Body: body})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// altered is a template whose body is not what its revision says.
func altered(t *testing.T) *bus.Message {
	m, err := control.Encode(control.TemplateType, "", &control.Template{Host: "web 01", Revision: "1", Body: "probes: [{name: load, interval: 1s}]\n"})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func boost(t *testing.T, interval, d time.Duration, probes ...string) *bus.Message {
	t.Helper()
	m, err := control.Encode(control.BoostType, control.AllKey, &control.Boost{
		Probes: probes, Interval: config.Duration(interval), For: config.Duration(d),
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// lastReport is what the agent last said of itself.
func lastReport(t *testing.T, b *scripted) *control.Report {
	t.Helper()
	all := b.reported()
	r, err := control.DecodeReport(all[len(all)-1])
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// runs are the times of a probe's batches, in seconds from a time; those that
// tell of its end are left out.
func runs(b *scripted, name string, from time.Time) (at []float64) {
	for _, a := range b.arrivals() {
		if o := telemetry.OriginOf(a.m); o.Probe == name && o.Interval != never {
			at = append(at, a.m.Time.Sub(from).Seconds())
		}
	}
	return at
}

// longest is the longest time between two of them after a time.
func longest(at []float64, after float64) (gap float64) {
	for i := 1; i < len(at); i++ {
		if at[i] > after {
			gap = max(gap, at[i]-at[i-1])
		}
	}
	return gap
}

// follows runs an agent with the probes cpu, load and agent while what is given
// happens.
func follows(t *testing.T, b *scripted, disk vfs.FS, happens func()) {
	t.Helper()
	cfg := testConfig(line("cpu", 10), line("load", 10), line("agent", 10))
	a := testAgent(t, cfg, b, disk, newFake("cpu", 0), newFake("load", 0))
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer close(done)
		if err := a.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	synctest.Wait()
	happens()
	synctest.Wait()
	cancel()
	<-done
}

// TestTemplateWithoutGap: what a new template does not change goes on by its
// schedule, and what it changes is nowhere later than the longer interval.
func TestTemplateWithoutGap(t *testing.T) {
	tests := []struct {
		name   string
		body   string
		loads  float64 // the longest time between two runs of load after the change
		refuse string
	}{
		{"shorter", "probes: [{name: cpu, interval: 10s}, {name: load, interval: 3s}]\n", 10, ""},
		{"longer", "probes: [{name: cpu, interval: 10s}, {name: load, interval: 30s}]\n", 30, ""},
		{"the same", "probes: [{name: cpu, interval: 10s}, {name: load, interval: 10s}]\n", 10, ""},
		{"another refused", "probes: [{name: cpu, interval: 10s}, {name: cup, interval: 1s}, {name: load, interval: 3s}]\n", 10, "probe cup"},
		{"one that this host lacks", "probes: [{name: cpu, interval: 10s}, {name: disk, interval: 1s}, {name: load, interval: 3s}]\n", 10, "probe disk"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, began := newScripted(true), time.Now()
				follows(t, b, faulty.New(), func() {
					time.Sleep(67 * time.Second)
					b.tell(told(t, "web 01", tt.body))
					time.Sleep(2 * time.Minute)
				})
				if cpu := runs(b, "cpu", began); longest(cpu, 2.5) > 10.001 || len(cpu) > 23 {
					t.Errorf("cpu, which did not change, ran at %v", cpu)
				}
				if load := runs(b, "load", began); longest(load, 2.5) > tt.loads+0.001 {
					t.Errorf("load ran at %v", load)
				}
				if up := runs(b, selfName, began); longest(up, 2.5) > 10.001 {
					t.Errorf("the agent itself, which is not named, ran at %v", up)
				}
				r := lastReport(t, b)
				if r.Revision != control.Revision(tt.body) || tt.refuse == "" != (len(r.Refused) == 0) || tt.refuse != "" && r.Refused[0].Name != tt.refuse {
					t.Errorf("reported %+v", r)
				}
			})
		})
	}
}

// TestTemplateRemovesProbe: it runs no more, and says so, so that nobody waits.
func TestTemplateRemovesProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, began := newScripted(true), time.Now()
		follows(t, b, faulty.New(), func() {
			time.Sleep(30 * time.Second)
			b.tell(told(t, "web 01", "probes: [{name: cpu, interval: 10s}]\n"))
			time.Sleep(30 * time.Second)
			b.tell(told(t, "web 01", "probes: [{name: load, interval: 10s}]\n"))
			time.Sleep(30 * time.Second)
		})
		load := runs(b, "load", began)
		if slices.ContainsFunc(load, func(s float64) bool { return s > 30 && s < 60 }) || load[len(load)-1] < 70 {
			t.Errorf("load ran at %v", load)
		}
		farewell := slices.ContainsFunc(b.arrivals(), func(a arrival) bool {
			o := telemetry.OriginOf(a.m)
			return o.Probe == "load" && o.Interval == never
		})
		if !farewell {
			t.Error("the end of load was not told")
		}
	})
}

// TestKeptTemplate: an agent starts with the template it applied last while its
// servers are away.
func TestKeptTemplate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk, b := faulty.New(), newScripted(true)
		body := "probes: [{name: load, interval: 3s}]\n"
		follows(t, b, disk, func() { b.tell(told(t, "web 01", body)) })
		disk = disk.Kill()
		away := newScripted(false)
		began := time.Now()
		follows(t, away, disk, func() {
			time.Sleep(time.Minute)
			away.connect()
			time.Sleep(10 * time.Minute)
		})
		if r := lastReport(t, away); r.Revision != control.Revision(body) {
			t.Errorf("reported %+v", r)
		}
		if load := runs(away, "load", began); len(load) < 200 || len(runs(away, "cpu", began)) > 0 {
			t.Errorf("load ran at %v", load)
		}
	})
}

// TestBadTemplate: what cannot be read, or is not for this host, changes nothing,
// and is not asked for again and again.
func TestBadTemplate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, began := newScripted(true), time.Now()
		follows(t, b, faulty.New(), func() {
			for _, m := range []*bus.Message{
				told(t, "web_01", "probes: [{name: load, interval: 1s}]\n"),
				altered(t), told(t, "web 01", "probes: [\n"), told(t, "web 01", "probes: [\n"),
				{Type: control.TemplateType, Body: []byte("{")}, {Type: "unknown"},
			} {
				b.tell(m)
			}
			synctest.Wait()
			if n := len(b.reported()); n != 2 { // at the start, and of the bad one
				t.Errorf("%d reports", n)
			}
			time.Sleep(time.Minute)
		})
		if r := lastReport(t, b); r.Revision != ownRevision || len(r.Refused) != 1 || !strings.HasPrefix(r.Refused[0].Name, "template ") {
			t.Errorf("reported %+v", r)
		}
		if load := runs(b, "load", began); len(load) > 9 {
			t.Errorf("load ran at %v", load)
		}
	})
}

// TestReports: every 5 minutes once answered, and more often until then.
func TestReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newScripted(true)
		follows(t, b, faulty.New(), func() {
			time.Sleep(time.Minute)
			if n := len(b.reported()); n < 4 || n > 6 {
				t.Errorf("%d reports in a minute without an answer", n)
			}
			for range 3 {
				q := b.reported()[len(b.reported())-1]
				if !slices.ContainsFunc(b.own.Bindings, func(x bus.Binding) bool { return x.Key == q.ReplyTo && x.Source == telemetry.ControlExchange }) {
					t.Errorf("no queue is bound for the reply %q", q.ReplyTo)
				}
				m, err := control.Encode(control.TemplateType, q.ReplyTo, &control.Template{Host: "web 01", Revision: ownRevision})
				if err != nil {
					t.Fatal(err)
				}
				m.CorrelationID = q.CorrelationID
				n := len(b.reported())
				b.tell(m)
				time.Sleep(reportEvery)
				if got := len(b.reported()) - n; got < 1 || got > 10 {
					t.Errorf("%d reports in the 5 minutes after an answer", got)
				}
				if at := b.reported()[n].Time.Sub(m.Time); at < 3*time.Minute {
					t.Errorf("asked again %v after the answer", at)
				}
			}
		})
	})
}

// TestBoost: chosen probes run every second for a while, and fall back by
// themselves; what is beyond the bounds is not obeyed.
func TestBoost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, began := newScripted(true), time.Now()
		follows(t, b, faulty.New(), func() {
			time.Sleep(20 * time.Second)
			b.tell(boost(t, time.Second, 30*time.Second, "cpu"))
			b.tell(boost(t, time.Millisecond, 30*time.Second))
			b.tell(boost(t, time.Second, time.Hour))
			time.Sleep(20 * time.Second)
			b.tell(boost(t, time.Second, 30*time.Second, "cpu")) // until 70 s
			time.Sleep(2 * time.Minute)
		})
		cpu := runs(b, "cpu", began)
		during := slices.DeleteFunc(slices.Clone(cpu), func(s float64) bool { return s < 20 || s > 70 })
		if n := len(during); n < 49 || n > 52 {
			t.Errorf("%d runs in 50 s of boost", n)
		}
		if longest(during, 20) > 1.001 || longest(cpu, 2.5) > 10.001 {
			t.Errorf("cpu ran at %v", cpu)
		}
		after := slices.DeleteFunc(slices.Clone(cpu), func(s float64) bool { return s < 71 })
		if n := len(after); n < 8 || n > 10 {
			t.Errorf("%d runs in 89 s after the boost", n)
		}
		if load := runs(b, "load", began); len(load) > 20 {
			t.Errorf("load, which nobody asked for, ran at %v", load)
		}
		for _, a := range b.arrivals() {
			if o := telemetry.OriginOf(a.m); o.Interval != 10*time.Second {
				t.Errorf("%s says %v, want the template's interval", o.Probe, o.Interval)
			}
		}
	})
}

// TestAllowExec: only what the agent's own configuration lists.
func TestAllowExec(t *testing.T) {
	cfg := Config{Exec: []string{"/usr/lib/nagios/plugins/*", "nobody:/opt/check"}}
	for _, tt := range []struct {
		program, user string
		ok            bool
	}{
		{"/usr/lib/nagios/plugins/check_disk", "", true},
		{"/usr/lib/nagios/plugins/check_disk", "root", false},
		{"/usr/lib/nagios/plugins/../../bin/sh", "", false},
		{"/usr/lib/nagios/plugins/sub/x", "", false},
		{"/opt/check", "nobody", true},
		{"/opt/check", "", false},
		{"/bin/sh", "", false},
	} {
		if err := cfg.allowExec([]string{tt.program}, tt.user); (err == nil) != tt.ok {
			t.Errorf("%s as %q: %v", tt.program, tt.user, err)
		}
	}
}
