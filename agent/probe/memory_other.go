//go:build !linux

package probe

import (
	"context"
	"fmt"

	"github.com/shirou/gopsutil/v3/mem"
)

var (
	memTotal     = gauge("node_memory_MemTotal_bytes", "Memory of the host.")
	memFree      = gauge("node_memory_MemFree_bytes", "Memory that nothing uses.")
	memAvailable = gauge("node_memory_MemAvailable_bytes", "Memory that a new program could have without swapping.")
	memCached    = gauge("node_memory_Cached_bytes", "Memory that caches files.")
	memBuffers   = gauge("node_memory_Buffers_bytes", "Memory in buffers.")
	memActive    = gauge("node_memory_Active_bytes", "Memory used lately.")
	memInactive  = gauge("node_memory_Inactive_bytes", "Memory not used lately.")
	swapTotal    = gauge("node_memory_SwapTotal_bytes", "Swap of the host.")
	swapFree     = gauge("node_memory_SwapFree_bytes", "Swap that nothing uses.")
)

// memory reads memory and swap.
type memory struct{}

func newMemory(Options) (Probe, error) { return memory{}, nil }

// Name implements Probe.
func (memory) Name() string { return "memory" }

// Collect implements Probe.
func (memory) Collect(ctx context.Context, s *Sink) error {
	m, err := mem.VirtualMemoryWithContext(ctx)
	if err != nil {
		return fmt.Errorf("read memory: %w", err)
	}
	s.Add(memTotal, float64(m.Total))
	s.Add(memFree, float64(m.Free))
	s.Add(memAvailable, float64(m.Available))
	s.Add(memCached, float64(m.Cached))
	s.Add(memBuffers, float64(m.Buffers))
	s.Add(memActive, float64(m.Active))
	s.Add(memInactive, float64(m.Inactive))
	swap, err := mem.SwapMemoryWithContext(ctx)
	if err != nil {
		return fmt.Errorf("read swap: %w", err)
	}
	s.Add(swapTotal, float64(swap.Total))
	s.Add(swapFree, float64(swap.Free))
	return nil
}
