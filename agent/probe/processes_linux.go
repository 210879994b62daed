package probe

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

var (
	processStates     = gauge("node_processes_state", "Processes in a state.", "state")
	processThreads    = gauge("node_processes_threads", "Threads of all processes.")
	processMaxThreads = gauge("node_processes_max_threads", "Threads that there may be.")
	processPIDs       = gauge("node_processes_pids", "Processes that there are.")
	processMaxPIDs    = gauge("node_processes_max_processes", "Processes that there may be.")
)

// processes walks all processes and counts them by state.
type processes struct {
	walk processWalk
	sys  string // folder of proc; static after construction
}

func newProcesses(o Options) (Probe, error) {
	return &processes{walk: processWalk{proc: o.Proc}, sys: filepath.Join(o.Proc, "sys", "kernel")}, nil
}

// Name implements Probe.
func (*processes) Name() string { return "processes" }

// Collect implements Probe.
func (p *processes) Collect(ctx context.Context, s *Sink) error {
	states := map[string]int{}
	pids, threads := 0, uint64(0)
	err := p.walk.each(ctx, func(one *processStat) {
		states[one.state]++
		pids++
		threads += one.threads
	})
	if err != nil {
		return fmt.Errorf("walk processes: %w", err)
	}
	for _, state := range slices.Sorted(maps.Keys(states)) {
		s.Add(processStates, float64(states[state]), state)
	}
	s.Add(processPIDs, float64(pids))
	s.Add(processThreads, float64(threads))
	addNumber(s, processMaxThreads, filepath.Join(p.sys, "threads-max"), 1)
	addNumber(s, processMaxPIDs, filepath.Join(p.sys, "pid_max"), 1)
	return nil
}

// processStat is what /proc/PID/stat says, proc_pid_stat(5).
type processStat struct {
	pid         int
	name, state string
	threads     uint64
	start       uint64 // clock ticks since boot: tells it from a later one of this number
	cpuTicks    uint64
	rssPages    uint64
}

// processWalk reads the processes one by one.
type processWalk struct {
	proc string // static after construction
	buf  lines  // owned by each
}

// each visits every process. One that ends meanwhile is left out.
func (w *processWalk) each(ctx context.Context, visit func(*processStat)) error {
	dir, err := os.Open(w.proc)
	if err != nil {
		return err
	}
	defer dir.Close() // opened for reading only: nothing to lose
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		err = w.buf.load(filepath.Join(w.proc, name, "stat"))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue
		}
		if err != nil {
			return err
		}
		one, err := parseProcessStat(string(w.buf.buf))
		if err != nil {
			return fmt.Errorf("process %d: %w", pid, err)
		}
		one.pid = pid
		visit(&one)
	}
	return nil
}

// Places of the numbers behind the state.
const (
	statUtime   = 10
	statStime   = 11
	statThreads = 16
	statStart   = 18
	statRSS     = 20
)

// parseProcessStat reads "1 (name) S …": the name may hold blanks and parentheses.
func parseProcessStat(text string) (p processStat, err error) {
	open, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return p, errors.New("stat without a name")
	}
	p.name = text[open+1 : end]
	words := strings.Fields(text[end+1:])
	if len(words) <= statRSS+1 {
		return p, fmt.Errorf("stat of %d fields", len(words))
	}
	p.state = words[0]
	var n [5]uint64
	for i, at := range [...]int{statUtime, statStime, statThreads, statStart, statRSS} {
		if n[i], err = strconv.ParseUint(words[at+1], 10, 64); err != nil {
			return p, err
		}
	}
	p.cpuTicks, p.threads, p.start, p.rssPages = n[0]+n[1], n[2], n[3], n[4]
	return p, nil
}
