//go:build !linux

package probe

import (
	"context"
	"fmt"
	"slices"

	gops "github.com/shirou/gopsutil/v3/disk"
)

// filesystem reads how full the mounted filesystems are.
type filesystem struct{}

func newFilesystem(Options) (Probe, error) { return filesystem{}, nil }

// Name implements Probe.
func (filesystem) Name() string { return "filesystem" }

// Collect implements Probe.
func (filesystem) Collect(ctx context.Context, s *Sink) error {
	parts, err := gops.PartitionsWithContext(ctx, false)
	if err != nil {
		return fmt.Errorf("read mounts: %w", err)
	}
	for _, p := range parts {
		m := mount{device: p.Device, fstype: p.Fstype, mountpoint: p.Mountpoint, readonly: slices.Contains(p.Opts, "ro")}
		if m.ignored() {
			continue
		}
		u, err := gops.UsageWithContext(ctx, p.Mountpoint)
		if err != nil {
			m.addError(s)
			continue
		}
		m.add(s, usage{
			size: float64(u.Total), free: float64(u.Free), avail: float64(u.Free),
			files: float64(u.InodesTotal), filesFree: float64(u.InodesFree),
		})
	}
	return nil
}
