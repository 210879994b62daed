//go:build !linux

package check

import (
	"context"

	gops "github.com/shirou/gopsutil/v3/process"
)

// processList reads the processes of this host.
type processList struct{}

func newProcessList(string) (*processList, error) { return &processList{}, nil }

// matching are the processes that match. One that cannot be read, because it ended
// or belongs to another, does not match.
func (*processList) matching(ctx context.Context, spec *Process) (found []process, err error) {
	all, err := gops.ProcessesWithContext(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range all {
		if spec.Name != nil {
			if name, err := p.NameWithContext(ctx); err != nil || !spec.Name.MatchString(name) {
				continue
			}
		}
		if spec.Cmdline != nil {
			if line, err := p.CmdlineWithContext(ctx); err != nil || !spec.Cmdline.MatchString(line) {
				continue
			}
		}
		one := process{id: processID{pid: int(p.Pid)}}
		if start, err := p.CreateTimeWithContext(ctx); err == nil {
			one.id.start = uint64(start)
		}
		if times, err := p.TimesWithContext(ctx); err == nil {
			one.cpu = times.User + times.System
		}
		if memory, err := p.MemoryInfoWithContext(ctx); err == nil {
			one.rss = float64(memory.RSS)
		}
		found = append(found, one)
	}
	return found, nil
}
