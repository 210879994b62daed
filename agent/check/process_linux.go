package check

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/prometheus/procfs"
)

// processList reads the processes of this host.
type processList struct{ proc procfs.FS }

func newProcessList(proc string) (*processList, error) {
	fs, err := procfs.NewFS(proc)
	if err != nil {
		return nil, fmt.Errorf("open proc: %w", err)
	}
	return &processList{fs}, nil
}

// matching are the processes that match. One that ends meanwhile is left out.
func (l *processList) matching(ctx context.Context, spec *Process) ([]process, error) {
	all, err := l.proc.AllProcs()
	if err != nil {
		return nil, err
	}
	var found []process
	for _, p := range all {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		one, matches, err := match(p, spec)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if matches {
			found = append(found, one)
		}
	}
	return found, nil
}

// match reads the command line before the rest: most processes end there.
func match(p procfs.Proc, spec *Process) (process, bool, error) {
	if spec.Cmdline != nil {
		args, err := p.CmdLine()
		if err != nil || p.PID == os.Getpid() || !spec.Cmdline.MatchString(strings.Join(args, " ")) {
			return process{}, false, err
		}
	}
	stat, err := p.Stat()
	if err != nil || stat.State == "Z" || spec.Name != nil && !spec.Name.MatchString(stat.Comm) {
		return process{}, false, err
	}
	return process{processID{p.PID, stat.Starttime}, stat.CPUTime(), float64(stat.ResidentMemory())}, true, nil
}
