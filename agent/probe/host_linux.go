package probe

import (
	"context"
	"errors"
	"fmt"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

var (
	hostProcsRunning = gauge("node_procs_running", "Processes that run or could.")
	hostProcsBlocked = gauge("node_procs_blocked", "Processes that wait for I/O.")
	hostForks        = counter("node_forks_total", "Processes started.")
	hostSwitches     = counter("node_context_switches_total", "Context switches.")
	hostInterrupts   = counter("node_intr_total", "Interrupts served.")
	hostFiles        = gauge("node_filefd_allocated", "Files open.")
	hostFilesMax     = gauge("node_filefd_maximum", "Files that may be open.")
	hostEntropy      = gauge("node_entropy_available_bits", "Entropy available.")
	hostEntropyPool  = gauge("node_entropy_pool_size_bits", "Size of the entropy pool.")
)

// host reads the clock, the boot time, what the system is, and its totals.
type host struct{ proc procfs.FS }

func newHost(o Options) (Probe, error) {
	proc, err := procfs.NewFS(o.Proc)
	if err != nil {
		return nil, fmt.Errorf("open proc: %w", err)
	}
	return &host{proc}, nil
}

// Name implements Probe.
func (*host) Name() string { return "host" }

// Collect implements Probe. Each part stands alone: a sandbox may hide one.
func (p *host) Collect(_ context.Context, s *Sink) error {
	addClock(s)
	return errors.Join(p.addStat(s), addUname(s), p.addFiles(s), p.addEntropy(s), addTimex(s))
}

func (p *host) addStat(s *Sink) error {
	st, err := p.proc.Stat()
	if err != nil {
		return fmt.Errorf("read stat: %w", err)
	}
	s.Add(hostBoot, float64(st.BootTime))
	s.Add(hostProcsRunning, float64(st.ProcessesRunning))
	s.Add(hostProcsBlocked, float64(st.ProcessesBlocked))
	s.Add(hostForks, float64(st.ProcessCreated))
	s.Add(hostSwitches, float64(st.ContextSwitches))
	s.Add(hostInterrupts, float64(st.IRQTotal))
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

func (p *host) addFiles(s *Sink) error {
	n, err := p.proc.SysctlInts("fs.file-nr") // allocated, free (always 0), maximum
	if err != nil {
		return fmt.Errorf("read open files: %w", err)
	}
	if len(n) < 3 {
		return fmt.Errorf("read open files: %d numbers instead of 3", len(n))
	}
	s.Add(hostFiles, float64(n[0]))
	s.Add(hostFilesMax, float64(n[2]))
	return nil
}

func (p *host) addEntropy(s *Sink) error {
	r, err := p.proc.KernelRandom()
	if err != nil {
		return fmt.Errorf("read entropy: %w", err)
	}
	if r.EntropyAvaliable != nil {
		s.Add(hostEntropy, float64(*r.EntropyAvaliable))
	}
	if r.PoolSize != nil {
		s.Add(hostEntropyPool, float64(*r.PoolSize))
	}
	return nil
}
