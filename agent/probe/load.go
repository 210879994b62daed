package probe

import (
	"context"
	"fmt"

	gops "github.com/shirou/gopsutil/v3/load"
)

var (
	load1  = gauge("node_load1", "1m load average.")
	load5  = gauge("node_load5", "5m load average.")
	load15 = gauge("node_load15", "15m load average.")
)

// load reads the load averages.
type load struct{ env }

func newLoad(o Options) (Probe, error) { return &load{newEnv(o)}, nil }

// Name implements Probe.
func (*load) Name() string { return "load" }

// Collect implements Probe.
func (p *load) Collect(ctx context.Context, s *Sink) error {
	avg, err := gops.AvgWithContext(p.with(ctx))
	if err != nil {
		return fmt.Errorf("read load averages: %w", err)
	}
	s.Add(load1, avg.Load1)
	s.Add(load5, avg.Load5)
	s.Add(load15, avg.Load15)
	return nil
}
