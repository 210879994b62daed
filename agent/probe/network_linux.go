package probe

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// receive and transmit are the counters of a device. A counter is the sum of the
// statistics given, as in /proc/net/dev (the kernel's dev_seq_printf_stats).
var (
	netReceive = []netStatistic{
		{netReceiveBytes, []int{rxBytes}},
		{netReceivePackets, []int{rxPackets}},
		{netReceiveErrs, []int{rxErrors}},
		{netReceiveDrop, []int{rxDropped, rxMissedErrors}},
		{netReceiveFIFO, []int{rxFIFOErrors}},
		{netCounter("receive_frame", "Framing errors while receiving."), []int{rxLengthErrors, rxOverErrors, rxCRCErrors, rxFrameErrors}},
		{netCounter("receive_compressed", "Compressed packets received."), []int{rxCompressed}},
		{netCounter("receive_multicast", "Multicast frames received."), []int{multicast}},
		{netCounter("receive_nohandler", "Packets received that nothing wanted."), []int{rxNoHandler}},
	}
	netTransmit = []netStatistic{
		{netTransmitBytes, []int{txBytes}},
		{netTransmitPackets, []int{txPackets}},
		{netTransmitErrs, []int{txErrors}},
		{netTransmitDrop, []int{txDropped}},
		{netTransmitFIFO, []int{txFIFOErrors}},
		{netCounter("transmit_colls", "Collisions while sending."), []int{collisions}},
		{netCounter("transmit_carrier", "Carrier losses while sending."), []int{txCarrierErrors, txAbortedErrors, txWindowErrors, txHeartbeatErrors}},
		{netCounter("transmit_compressed", "Compressed packets sent."), []int{txCompressed}},
	}
)

type netStatistic struct {
	desc *Desc
	sum  []int // places in link.stats
}

// Properties of a device.
var (
	netInfo = gauge("node_network_info", "What a device is; always 1.",
		"address", "broadcast", "device", "duplex", "ifalias", "operstate")
	netSpeed              = netGauge("speed_bytes", "Speed of a device, per second; absent where it is unknown.")
	netCarrier            = netGauge("carrier", "Whether a device that is up has a link.")
	netQueue              = netGauge("transmit_queue_length", "Packets that a device's queue holds.")
	netProtocol           = netGauge("protocol_type", "Type of a device, ARPHRD_*.")
	netIndex              = netGauge("iface_id", "Index of a device.")
	netUnder              = netGauge("iface_link", "Index of the device under a device.")
	netMode               = netGauge("iface_link_mode", "Link mode of a device.")
	netGroup              = netGauge("net_dev_group", "Group of a device.")
	netFlags              = netGauge("flags", "Flags of a device, IFF_*.")
	netDormant            = netGauge("dormant", "Whether a device that is up waits for something, such as a login.")
	netCarrierChanges     = netCounter("carrier_changes", "Times that a link came or went.")
	netCarrierUpChanges   = netCounter("carrier_up_changes", "Times that a link came.")
	netCarrierDownChanges = netCounter("carrier_down_changes", "Times that a link went.")
)

func netGauge(property, help string) *Desc { return gauge("node_network_"+property, help, "device") }

// netFixed are properties that only sysfs tells and that a device keeps.
var netFixed = []struct {
	file string
	desc *Desc
}{
	{"addr_assign_type", netGauge("address_assign_type", "Where a device has its address from.")},
	{"name_assign_type", netGauge("name_assign_type", "Where a device has its name from.")},
	{"dev_id", netGauge("device_id", "Which of the devices that share an address it is.")},
}

// network reads what passed through the network devices, and their properties.
type network struct {
	sysfs string                 // class/net in it; static after construction
	links func() ([]link, error) // static after construction
	fixed map[fixedKey]float64   // NaN: the device has none; owned by Collect
	media map[string]medium      // by device; owned by Collect
}

// medium is what only sysfs tells of a device with a link, and the number of
// changes of that link when it was read: the files take the kernel's network lock,
// and what they say is settled when a link comes up.
type medium struct {
	index, changes uint32
	duplex, speed  string
}

// fixedKey is a property of a device; a device that comes anew has a new index.
type fixedKey struct {
	name  string
	index uint32
	file  string
}

func newNetwork(o Options) (Probe, error) {
	return &network{sysfs: filepath.Join(o.Sys, "class", "net"), links: readLinks, fixed: map[fixedKey]float64{}, media: map[string]medium{}}, nil
}

// Name implements Probe.
func (*network) Name() string { return "network" }

// Collect implements Probe.
func (p *network) Collect(_ context.Context, s *Sink) error {
	links, err := p.links()
	if err != nil {
		return fmt.Errorf("list network devices: %w", err)
	}
	if len(p.fixed) > 2*len(netFixed)*len(links) { // many have gone
		clear(p.fixed)
		clear(p.media)
	}
	for i := range links {
		links[i].addStatistics(s, netReceive)
		links[i].addStatistics(s, netTransmit)
		links[i].addProperties(s)
		p.addEthernet(s, &links[i])
		p.addFixed(s, &links[i])
	}
	return nil
}

func (l *link) addStatistics(s *Sink, statistics []netStatistic) {
	for _, st := range statistics {
		var sum uint64
		for _, place := range st.sum {
			sum += l.stats[place]
		}
		s.Add(st.desc, float64(sum), l.name)
	}
}

func (l *link) addProperties(s *Sink) {
	s.Add(netUp, flag(l.state() == "up"), l.name)
	if l.up {
		s.Add(netCarrier, float64(l.carrier), l.name)
		s.Add(netDormant, flag(l.flags&iffDormant != 0), l.name)
	}
	s.Add(netFlags, float64(l.kernelFlags()), l.name)
	s.Add(netMTU, float64(l.mtu), l.name)
	s.Add(netQueue, float64(l.queue), l.name)
	s.Add(netProtocol, float64(l.kind), l.name)
	s.Add(netIndex, float64(l.index), l.name)
	s.Add(netUnder, float64(l.under), l.name)
	s.Add(netMode, float64(l.mode), l.name)
	s.Add(netGroup, float64(l.group), l.name)
	s.Add(netCarrierChanges, float64(l.carrierChanges[0]), l.name)
	s.Add(netCarrierUpChanges, float64(l.carrierChanges[1]), l.name)
	s.Add(netCarrierDownChanges, float64(l.carrierChanges[2]), l.name)
}

const (
	iffDormant = 0x20000
	iffKept    = 0xffff // wider ones are made up for the answer, as is IFF_RUNNING
)

// kernelFlags are the flags as sysfs shows them: promiscuous is also what a bridge
// or a capture asked for.
func (l *link) kernelFlags() uint32 {
	f := l.flags & iffKept &^ unix.IFF_RUNNING
	if l.promiscuity > 0 {
		f |= unix.IFF_PROMISC
	}
	return f
}

// addFixed reads the files of a device once: some take the kernel's network lock.
func (p *network) addFixed(s *Sink, l *link) {
	for _, f := range netFixed {
		key := fixedKey{l.name, l.index, f.file}
		v, known := p.fixed[key]
		if !known {
			v = math.NaN()
			if n, err := strconv.ParseInt(p.read(l.name, f.file), 0, 64); err == nil {
				v = float64(n)
			}
			p.fixed[key] = v
		}
		if !math.IsNaN(v) {
			s.Add(f.desc, v, l.name)
		}
	}
}

// addEthernet adds what only sysfs tells, and only of a device with a link.
func (p *network) addEthernet(s *Sink, l *link) {
	m := p.medium(l)
	s.Add(netInfo, 1, l.address, l.broadcast, l.name, m.duplex, l.alias, l.state())
	if v, err := strconv.Atoi(m.speed); err == nil && v >= 0 { // -1: not known
		s.Add(netSpeed, float64(v)*1e6/8, l.name) // sysfs says Mbit/s
	}
}

func (p *network) medium(l *link) medium {
	if !l.up || l.carrier == 0 {
		return medium{}
	}
	m, known := p.media[l.name]
	if !known || m.index != l.index || m.changes != l.carrierChanges[0] {
		m = medium{l.index, l.carrierChanges[0], p.read(l.name, "duplex"), p.read(l.name, "speed")}
		p.media[l.name] = m
	}
	return m
}

// read reads a property; "" if the device's driver does not have it.
func (p *network) read(device, property string) string {
	b, err := os.ReadFile(filepath.Join(p.sysfs, device, property))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
