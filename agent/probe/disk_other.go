//go:build !linux

package probe

import (
	"context"
	"fmt"
	"maps"
	"slices"

	gops "github.com/shirou/gopsutil/v3/disk"
)

// disk reads what passed through the block devices.
type disk struct{}

func newDisk(Options) (Probe, error) { return disk{}, nil }

// Name implements Probe.
func (disk) Name() string { return "disk" }

// Collect implements Probe.
func (disk) Collect(ctx context.Context, s *Sink) error {
	counters, err := gops.IOCountersWithContext(ctx)
	if err != nil {
		return fmt.Errorf("read disk statistics: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(counters)) {
		c := counters[name]
		s.Add(diskReads, float64(c.ReadCount), name)
		s.Add(diskReadBytes, float64(c.ReadBytes), name)
		s.Add(diskReadTime, float64(c.ReadTime)/1000, name)
		s.Add(diskWrites, float64(c.WriteCount), name)
		s.Add(diskWriteBytes, float64(c.WriteBytes), name)
		s.Add(diskWriteTime, float64(c.WriteTime)/1000, name)
		s.Add(diskIOTime, float64(c.IoTime)/1000, name)
		s.Add(diskIOTimeTotal, float64(c.WeightedIO)/1000, name)
	}
	return nil
}
