package dashboard

import (
	"math"
	"slices"
	"strings"
	"time"

	"thump/internal/telemetry"
)

// role is what a series tells at a glance.
type role uint8

const (
	noRole role = iota
	cpuIdle
	cpuBusy
	memoryTotal
	memoryAvailable
	diskSize
	diskAvailable
	load1
	received
	transmitted
	roles // how many there are
)

var rolesByName = map[string]role{
	"node_memory_MemTotal_bytes":        memoryTotal,
	"node_memory_MemAvailable_bytes":    memoryAvailable,
	"node_filesystem_size_bytes":        diskSize,
	"node_filesystem_avail_bytes":       diskAvailable,
	"node_load1":                        load1,
	"node_network_receive_bytes_total":  received,
	"node_network_transmit_bytes_total": transmitted,
}

func roleOf(s *telemetry.Series) role {
	name := s.Name()
	if name == "node_cpu_seconds_total" {
		if s.Get("mode") == "idle" {
			return cpuIdle
		}
		return cpuBusy
	}
	r := rolesByName[name]
	switch {
	case (r == received || r == transmitted) && isVirtual(s.Get("device")):
		return noRole // its traffic passes a real device too
	case (r == diskSize || r == diskAvailable) && slices.Contains(notDisks, s.Get("fstype")):
		return noRole
	}
	return r
}

// notDisks are file systems that never fill, or are always full.
var notDisks = []string{"tmpfs", "devtmpfs", "ramfs", "squashfs", "iso9660", "erofs"}

var virtualDevices = []string{"veth", "docker", "br-", "virbr", "cali", "cni", "flannel", "podman", "vnet", "tap", "lxc"}

func isVirtual(device string) bool {
	return device == "lo" || slices.ContainsFunc(virtualDevices, func(prefix string) bool {
		return strings.HasPrefix(device, prefix)
	})
}

// glance is what the overview shows of a host, made of the latest samples. A
// number that is not known is NaN.
type glance struct {
	cpu, memory, disk float64 // ratios
	diskAt            string  // mount point of the fullest file system
	load              float64
	cores             int
	receive, transmit float64 // bytes per second
	spark             spark
}

func unknown() glance {
	nan := math.NaN()
	return glance{cpu: nan, memory: nan, disk: nan, load: nan, receive: nan, transmit: nan}
}

// look reads a host's series anew.
func (g *glance) look(h *host, now time.Time) {
	g.cpu, g.cores = busy(h.byRole[cpuIdle], h.byRole[cpuBusy])
	g.memory = 1 - only(h.byRole[memoryAvailable])/only(h.byRole[memoryTotal])
	g.disk, g.diskAt = fullest(h.byRole[diskSize], h.byRole[diskAvailable])
	g.load = only(h.byRole[load1])
	g.receive, g.transmit = perSecond(h.byRole[received]), perSecond(h.byRole[transmitted])
	g.spark.add(g.cpu, now)
}

// busy is the share of time in which the processors were not idle.
func busy(idle, other []*series) (ratio float64, cores int) {
	newest := newestOf(idle)
	var unused, all float64
	for _, s := range idle {
		if s.last.Time == newest {
			grown, _ := s.increase()
			unused += grown
			all += grown
			cores++
		}
	}
	for _, s := range other {
		if s.last.Time == newest {
			grown, _ := s.increase()
			all += grown
		}
	}
	return 1 - unused/all, cores // NaN before the second sample
}

func newestOf(list []*series) (t int64) {
	for _, s := range list {
		t = max(t, s.last.Time)
	}
	return t
}

// only is the value of the series that there is one of.
func only(list []*series) float64 {
	if len(list) == 0 {
		return math.NaN()
	}
	return list[0].last.Value
}

// fullest finds the file system with the least space available.
func fullest(sizes, available []*series) (ratio float64, mountpoint string) {
	ratio = math.NaN()
	for _, size := range sizes {
		i := slices.IndexFunc(available, func(s *series) bool { return s.mountpoint == size.mountpoint })
		if i < 0 || size.last.Value <= 0 {
			continue
		}
		used := 1 - available[i].last.Value/size.last.Value
		if math.IsNaN(ratio) || used > ratio {
			ratio, mountpoint = used, size.mountpoint
		}
	}
	return ratio, mountpoint
}

// perSecond is the sum of the rates of some counters; those that have stopped
// reporting do not count.
func perSecond(list []*series) float64 {
	sum, newest := math.NaN(), newestOf(list)
	for _, s := range list {
		grown, seconds := s.increase()
		if seconds == 0 || s.last.Time != newest {
			continue
		}
		if math.IsNaN(sum) {
			sum = 0
		}
		sum += grown / seconds
	}
	return sum
}
