package probe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Probe reads one source on this host.
type Probe interface {
	// Name is one word of a routing key, and the collector label of Measure.
	Name() string
	// Collect adds what it reads to s. What it added before an error counts.
	// It is not called again before it has returned.
	Collect(ctx context.Context, s *Sink) error
}

// Options say where a probe reads.
type Options struct {
	Proc string // mount point of proc on Linux; "" is /proc
	Sys  string // mount point of sysfs on Linux; "" is /sys
	Etc  string // folder with os-release on Linux; "" is /etc
	Udev string // folder of udev's database on Linux; "" is /run/udev/data
	// Textfile is the folder with *.prom; "" is that of Debian's node_exporter.
	Textfile string
}

// entry is one probe of the list.
type entry struct {
	name      string
	open      func(Options) (Probe, error)
	expensive bool // runs only where a template asks for it
}

// everywhere are the probes that every system has; with those of list_*.go it is
// the one list of probes.
var everywhere = []entry{
	{"cpu", newCPU, false},
	{"memory", newMemory, false},
	{"load", newLoad, false},
	{"filesystem", newFilesystem, false},
	{"disk", newDisk, false},
	{"network", newNetwork, false},
	{"host", newHost, false},
	{"users", newUsers, false},
	{"textfile", newTextfile, false},
}

func list() []entry { return slices.Concat(everywhere, onlyHere) }

// Names lists the probes that a template may name: one for all hosts names what
// some systems have not, and there it is left out.
func Names() (names []string) {
	for _, e := range list() {
		names = append(names, e.name)
	}
	return append(names, elsewhere...)
}

// Expensive tells whether a probe costs so much that it runs only where a template
// asks for it: it looks at every process or every connection.
func Expensive(name string) bool {
	return slices.ContainsFunc(list(), func(e entry) bool { return e.name == name && e.expensive })
}

// All opens the probes. Those that this host can have are returned besides the
// error for those that it cannot.
func All(o Options) ([]Probe, error) {
	o.Proc, o.Sys = cmp.Or(o.Proc, "/proc"), cmp.Or(o.Sys, "/sys")
	o.Etc, o.Udev = cmp.Or(o.Etc, "/etc"), cmp.Or(o.Udev, "/run/udev/data")
	o.Textfile = cmp.Or(o.Textfile, "/var/lib/prometheus/node-exporter")
	var probes []Probe
	var failed []error
	for _, l := range list() {
		p, err := l.open(o)
		if err != nil {
			failed = append(failed, fmt.Errorf("probe %s: %w", l.name, err))
			continue
		}
		probes = append(probes, p)
	}
	return probes, errors.Join(failed...)
}

var (
	scrapeDuration = gauge("node_scrape_collector_duration_seconds", "How long a probe took.", "collector")
	scrapeSuccess  = gauge("node_scrape_collector_success", "Whether a probe succeeded.", "collector")
)

// Measure runs a probe once, at the time now, into an emptied sink, and adds how
// long it took and whether it succeeded.
func Measure(ctx context.Context, p Probe, s *Sink, now time.Time) error {
	s.Reset(now)
	start := time.Now()
	err := collect(ctx, p, s)
	success := 1.0
	if err != nil {
		success = 0
	}
	s.Add(scrapeDuration, time.Since(start).Seconds(), p.Name())
	s.Add(scrapeSuccess, success, p.Name())
	return err
}

// collect turns a panic into an error: a file that a library did not expect in
// this shape must cost one probe, not the agent.
func collect(ctx context.Context, p Probe, s *Sink) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("probe %s: panic: %v", p.Name(), r)
		}
	}()
	if err := p.Collect(ctx, s); err != nil {
		return fmt.Errorf("probe %s: %w", p.Name(), err)
	}
	return nil
}
