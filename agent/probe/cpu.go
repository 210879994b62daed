package probe

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"

	gops "github.com/shirou/gopsutil/v3/cpu"
)

var (
	cpuSeconds = counter("node_cpu_seconds_total", "Time a CPU spent in a mode.", "cpu", "mode")
	cpuGuest   = counter("node_cpu_guest_seconds_total", "Time a CPU spent in guests; part of user and nice.", "cpu", "mode")
)

// cpuModes are the modes of cpuSeconds; those from linuxModes on exist only there.
var cpuModes = [...]string{"user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"}

const linuxModes = 4

// cpu reads where the time of each CPU went.
type cpu struct {
	env
	last map[string]*modes // by CPU; owned by Collect
}

// modes are the seconds of one CPU, in the order of cpuModes.
type modes [len(cpuModes)]float64

func newCPU(o Options) (Probe, error) {
	return &cpu{env: newEnv(o), last: map[string]*modes{}}, nil
}

// Name implements Probe.
func (*cpu) Name() string { return "cpu" }

// Collect implements Probe.
func (p *cpu) Collect(ctx context.Context, s *Sink) error {
	times, err := gops.TimesWithContext(p.with(ctx), true)
	if err != nil {
		return fmt.Errorf("read CPU times: %w", err)
	}
	if len(times) == 0 { // gopsutil's answer to a file that it cannot read
		return errors.New("read CPU times: none found")
	}
	for i := range times {
		p.add(s, &times[i])
	}
	return nil
}

func (p *cpu) add(s *Sink, t *gops.TimesStat) {
	name := strings.TrimPrefix(t.CPU, "cpu")
	now := p.steady(name, modes{t.User, t.Nice, t.System, t.Idle, t.Iowait, t.Irq, t.Softirq, t.Steal})
	known := len(cpuModes)
	if runtime.GOOS != "linux" {
		known = linuxModes
	}
	for i, mode := range cpuModes[:known] {
		s.Add(cpuSeconds, now[i], name, mode)
	}
	if runtime.GOOS == "linux" {
		s.Add(cpuGuest, t.Guest, name, "user")
		s.Add(cpuGuest, t.GuestNice, name, "nice")
	}
}

// jumpBack is how far a CPU's counter may fall, in seconds, and still count as
// the kernel's own imprecision; from there on the CPU was taken off and put back.
const jumpBack = 3.0

// steady keeps the counters of a CPU from falling a little: idle and iowait do so
// on Linux by design (Documentation/filesystems/proc.rst), and to a subscriber a
// counter that falls has started anew.
func (p *cpu) steady(name string, now modes) modes {
	last := p.last[name]
	if last == nil {
		last = &modes{}
		p.last[name] = last
	}
	for i := range now {
		if now[i] < last[i] && last[i]-now[i] < jumpBack {
			now[i] = last[i]
		}
	}
	*last = now
	return now
}
