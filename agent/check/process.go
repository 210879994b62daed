package check

import (
	"context"
	"fmt"

	"thump/internal/telemetry"
)

// Process counts the processes that match, and what they use. None is critical
// unless Count says otherwise.
type Process struct {
	// Name is a pattern of the whole name of the program, as the kernel has it (15 bytes on Linux).
	Name *Pattern `yaml:"name"`
	// Cmdline is a regular expression to be found in the command line, arguments joined by blanks.
	Cmdline *Regexp `yaml:"cmdline"`
	// Count says how many processes are good; default: one or more.
	Count Span `yaml:"count"`
	// RSS says how many bytes of resident memory, of all together, are good.
	RSS Span `yaml:"rss"`
}

func (c *Process) validate(p *problems) {
	if c.Name == nil && c.Cmdline == nil {
		p.add("process: want name or cmdline")
	}
}

func (c *Process) open(_ *Spec, env Env) (runner, error) {
	list, err := newProcessList(env.Proc)
	if err != nil {
		return nil, err
	}
	return &census{spec: c, list: list, last: map[processID]float64{}}, nil
}

// processID tells a process from a later one with its number.
type processID struct {
	pid   int
	start uint64
}

// process is what is asked of one that matches.
type process struct {
	id  processID
	cpu float64 // seconds since its start
	rss float64 // bytes
}

// census runs a Process.
type census struct {
	spec *Process     // static after construction
	list *processList // static after construction

	// Owned by run. The CPU time is that used since the check's start, by whichever
	// processes matched at the time: it does not fall when one ends.
	last map[processID]float64
	used float64
}

// run implements runner.
func (c *census) run(ctx context.Context, o *output) (verdict, error) {
	matching, err := c.list.matching(ctx, c.spec)
	if err != nil {
		return verdict{}, fmt.Errorf("list processes: %w", err)
	}
	now := make(map[processID]float64, len(matching))
	rss := 0.0
	for _, p := range matching {
		if before, seen := c.last[p.id]; seen {
			c.used += max(p.cpu-before, 0)
		}
		now[p.id] = p.cpu
		rss += p.rss
	}
	c.last = now
	o.put("thump_process_count", "Processes that match.", float64(len(matching)))
	o.put("thump_process_resident_memory_bytes", "Resident memory of the processes that match.", rss)
	o.add(c.cpu(o.check))
	v := verdict{ok, fmt.Sprintf("%d processes", len(matching))}
	if len(matching) == 0 && !c.spec.Count.Warn.set && !c.spec.Count.Crit.set {
		v.worse(critical, "no process matches")
	}
	c.spec.Count.judge(&v, "number of processes", float64(len(matching)))
	c.spec.RSS.judge(&v, "resident memory", rss)
	return v, nil
}

func (c *census) cpu(check string) *sample {
	return &sample{
		name: "thump_process_cpu_seconds_total", typ: telemetry.Counter, value: c.used,
		help:   "CPU time used by the processes that match, since the check's start.",
		labels: []telemetry.Label{{Name: "check", Value: check}},
	}
}
