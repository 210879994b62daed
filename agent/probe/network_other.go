//go:build !linux

package probe

import (
	"context"
	"fmt"
	"slices"

	gops "github.com/shirou/gopsutil/v3/net"
)

// network reads what passed through the network devices.
type network struct{}

func newNetwork(Options) (Probe, error) { return network{}, nil }

// Name implements Probe.
func (network) Name() string { return "network" }

// Collect implements Probe.
func (network) Collect(ctx context.Context, s *Sink) error {
	counters, err := gops.IOCountersWithContext(ctx, true)
	if err != nil {
		return fmt.Errorf("read network statistics: %w", err)
	}
	for i := range counters {
		addCounters(s, &counters[i])
	}
	devices, err := gops.InterfacesWithContext(ctx)
	if err != nil {
		return fmt.Errorf("list network devices: %w", err)
	}
	for _, d := range devices {
		s.Add(netUp, flag(slices.Contains(d.Flags, "up")), d.Name)
		s.Add(netMTU, float64(d.MTU), d.Name)
	}
	return nil
}

func addCounters(s *Sink, c *gops.IOCountersStat) {
	s.Add(netReceiveBytes, float64(c.BytesRecv), c.Name)
	s.Add(netReceivePackets, float64(c.PacketsRecv), c.Name)
	s.Add(netReceiveErrs, float64(c.Errin), c.Name)
	s.Add(netReceiveDrop, float64(c.Dropin), c.Name)
	s.Add(netReceiveFIFO, float64(c.Fifoin), c.Name)
	s.Add(netTransmitBytes, float64(c.BytesSent), c.Name)
	s.Add(netTransmitPackets, float64(c.PacketsSent), c.Name)
	s.Add(netTransmitErrs, float64(c.Errout), c.Name)
	s.Add(netTransmitDrop, float64(c.Dropout), c.Name)
	s.Add(netTransmitFIFO, float64(c.Fifoout), c.Name)
}
