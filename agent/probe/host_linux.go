package probe

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

var (
	hostProcsRunning = gauge("node_procs_running", "Processes that run or could.")
	hostProcsBlocked = gauge("node_procs_blocked", "Processes that wait for I/O.")
	hostForks        = counter("node_forks_total", "Processes started.")
	hostSwitches     = counter("node_context_switches_total", "Context switches.")
	hostInterrupts   = counter("node_intr_total", "Interrupts served.")
	hostSoftirqs     = counter("node_softirqs_total", "Soft interrupts served.", "vector")
	hostFiles        = gauge("node_filefd_allocated", "Files open.")
	hostFilesMax     = gauge("node_filefd_maximum", "Files that may be open.")
	hostEntropy      = gauge("node_entropy_available_bits", "Entropy available.")
	hostEntropyPool  = gauge("node_entropy_pool_size_bits", "Size of the entropy pool.")
)

// hostTotals are the lines of /proc/stat that have one number, or the sum first.
var hostTotals = map[string]*Desc{
	"btime": hostBoot, "procs_running": hostProcsRunning, "procs_blocked": hostProcsBlocked,
	"processes": hostForks, "ctxt": hostSwitches, "intr": hostInterrupts,
}

// host reads the clock, the boot time, what the system is, and its totals.
type host struct {
	proc string // static after construction
	buf  lines  // owned by Collect
}

func newHost(o Options) (Probe, error) { return &host{proc: o.Proc}, nil }

// Name implements Probe.
func (*host) Name() string { return "host" }

// Collect implements Probe. Each part stands alone: a sandbox may hide one.
func (p *host) Collect(_ context.Context, s *Sink) error {
	addClock(s)
	p.addEntropy(s)
	return errors.Join(p.addStat(s), addUname(s), p.addFiles(s), addTimex(s))
}

func (p *host) addStat(s *Sink) error {
	err := p.buf.read(filepath.Join(p.proc, "stat"), func(line string) error {
		name, rest := cutWord(line)
		if name == "softirq" {
			return addSoftirqs(s, rest)
		}
		d := hostTotals[name]
		if d == nil {
			return nil
		}
		number, _ := cutWord(rest)
		v, err := parseUint(number)
		s.Add(d, float64(v))
		return err
	})
	if err != nil {
		return fmt.Errorf("read stat: %w", err)
	}
	return nil
}

// softirqVectors are the columns of "softirq" behind their sum, kernel/softirq.c.
var softirqVectors = [...]string{"hi", "timer", "net_tx", "net_rx", "block", "block_iopoll", "tasklet", "sched", "hrtimer", "rcu"}

func addSoftirqs(s *Sink, columns string) error {
	_, columns = cutWord(columns)
	for _, vector := range softirqVectors {
		var word string
		if word, columns = cutWord(columns); word == "" {
			return nil
		}
		v, err := parseUint(word)
		if err != nil {
			return err
		}
		s.Add(hostSoftirqs, float64(v), vector)
	}
	return nil
}

func addUname(s *Sink) error {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return fmt.Errorf("uname: %w", err)
	}
	s.Add(hostUname, 1,
		unix.ByteSliceToString(u.Domainname[:]), unix.ByteSliceToString(u.Machine[:]),
		unix.ByteSliceToString(u.Nodename[:]), unix.ByteSliceToString(u.Release[:]),
		unix.ByteSliceToString(u.Sysname[:]), unix.ByteSliceToString(u.Version[:]))
	return nil
}

// addFiles reads "allocated free maximum"; free is always 0.
func (p *host) addFiles(s *Sink) error {
	words := strings.Fields(attribute(filepath.Join(p.proc, "sys/fs/file-nr")))
	if len(words) < 3 {
		return fmt.Errorf("read open files: %d numbers instead of 3", len(words))
	}
	allocated, err := parseUint(words[0])
	maximum, err2 := parseUint(words[2])
	if err := errors.Join(err, err2); err != nil {
		return fmt.Errorf("read open files: %w", err)
	}
	s.Add(hostFiles, float64(allocated))
	s.Add(hostFilesMax, float64(maximum))
	return nil
}

func (p *host) addEntropy(s *Sink) {
	dir := filepath.Join(p.proc, "sys/kernel/random")
	addNumber(s, hostEntropy, filepath.Join(dir, "entropy_avail"), 1)
	addNumber(s, hostEntropyPool, filepath.Join(dir, "poolsize"), 1)
}
