package probe

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"time"
)

var (
	topCPU = gauge("thump_top_cpu_ratio", "CPUs used since the last run by the programs that used most.", "program")
	topRSS = gauge("thump_top_resident_memory_bytes", "Resident memory of the programs that hold most.", "program")
)

// topCount is how many programs are named.
const topCount = 10

// clockTick is USER_HZ, which is 100 on every system that Go runs on.
const clockTick = 100

// top walks all processes and names the programs that use most. Processes are
// summed by program, so that the series are as few as the programs.
type top struct {
	walk processWalk

	// Owned by Collect.
	last  map[topID]uint64 // CPU ticks
	since time.Time
}

// topID tells a process from a later one with its number.
type topID struct {
	pid   int
	start uint64
}

type program struct {
	name     string
	ticks    uint64 // since the last run
	rssPages uint64
}

func newTop(o Options) (Probe, error) { return &top{walk: processWalk{proc: o.Proc}}, nil }

// Name implements Probe.
func (*top) Name() string { return "top" }

// Collect implements Probe. The first run knows no CPU time to compare with.
func (p *top) Collect(ctx context.Context, s *Sink) error {
	now, programs, last := time.Now(), map[string]*program{}, make(map[topID]uint64, len(p.last))
	err := p.walk.each(ctx, func(one *processStat) {
		id := topID{one.pid, one.start}
		last[id] = one.cpuTicks
		g := programs[one.name]
		if g == nil {
			g = &program{name: one.name}
			programs[one.name] = g
		}
		g.rssPages += one.rssPages
		if before := p.last[id]; one.cpuTicks > before {
			g.ticks += one.cpuTicks - before
		}
	})
	if err != nil {
		return fmt.Errorf("walk processes: %w", err)
	}
	all := make([]*program, 0, len(programs))
	for _, g := range programs {
		all = append(all, g)
	}
	first, took := p.last == nil, now.Sub(p.since).Seconds()
	p.last, p.since = last, now
	if !first && took > 0 {
		for _, g := range largest(all, func(g *program) uint64 { return g.ticks }) {
			s.Add(topCPU, float64(g.ticks)/clockTick/took, g.name)
		}
	}
	for _, g := range largest(all, func(g *program) uint64 { return g.rssPages }) {
		s.Add(topRSS, float64(g.rssPages)*float64(os.Getpagesize()), g.name)
	}
	return nil
}

// largest are the first of all by a value, those of zero left out.
func largest(all []*program, by func(*program) uint64) []*program {
	slices.SortFunc(all, func(a, b *program) int {
		return cmp.Or(cmp.Compare(by(b), by(a)), cmp.Compare(a.name, b.name))
	})
	n := 0
	for n < min(len(all), topCount) && by(all[n]) > 0 {
		n++
	}
	return all[:n]
}
