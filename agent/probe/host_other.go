//go:build !linux

package probe

import (
	"context"
	"fmt"
	"os"
	"runtime"

	gops "github.com/shirou/gopsutil/v3/host"
)

// host reads the clock, the boot time and what the system is.
type host struct{}

func newHost(Options) (Probe, error) { return host{}, nil }

// Name implements Probe.
func (host) Name() string { return "host" }

// Collect implements Probe.
func (host) Collect(ctx context.Context, s *Sink) error {
	addClock(s)
	if err := addBootTime(ctx, s); err != nil {
		return err
	}
	name, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("read host name: %w", err)
	}
	release, err := gops.KernelVersionWithContext(ctx)
	if err != nil {
		return fmt.Errorf("read kernel version: %w", err)
	}
	s.Add(hostUname, 1, "", runtime.GOARCH, name, release, runtime.GOOS, "")
	return nil
}

func addBootTime(ctx context.Context, s *Sink) error {
	boot, err := gops.BootTimeWithContext(ctx)
	if err != nil {
		return fmt.Errorf("read boot time: %w", err)
	}
	s.Add(hostBoot, float64(boot))
	return nil
}
