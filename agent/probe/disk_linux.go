package probe

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/procfs/blockdevice"
)

var (
	diskReadsMerged     = counter("node_disk_reads_merged_total", "Reads merged into another.", "device")
	diskWritesMerged    = counter("node_disk_writes_merged_total", "Writes merged into another.", "device")
	diskIONow           = gauge("node_disk_io_now", "I/Os in progress.", "device")
	diskDiscards        = counter("node_disk_discards_completed_total", "Discards completed.", "device")
	diskDiscardsMerged  = counter("node_disk_discards_merged_total", "Discards merged into another.", "device")
	diskDiscardSectors  = counter("node_disk_discarded_sectors_total", "Sectors discarded.", "device")
	diskDiscardTime     = counter("node_disk_discard_time_seconds_total", "Time spent by all discards.", "device")
	diskFlushes         = counter("node_disk_flush_requests_total", "Flush requests completed.", "device")
	diskFlushTime       = counter("node_disk_flush_requests_time_seconds_total", "Time spent by all flush requests.", "device")
	ignoredBlockDevices = regexp.MustCompile(`^(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$`) // node_exporter's default
)

// sectorSize is the unit of /proc/diskstats, whatever the device's own sectors are.
const sectorSize = 512

// Fields of /proc/diskstats, the device's name included, from the kernel on that
// has discards (4.18) and flush requests (5.5).
const (
	withDiscards = 18
	withFlushes  = 20
)

// disk reads what passed through the block devices.
type disk struct { // static after construction
	fs   blockdevice.FS
	udev string
}

func newDisk(o Options) (Probe, error) {
	fs, err := blockdevice.NewFS(o.Proc, o.Sys)
	if err != nil {
		return nil, fmt.Errorf("open proc and sys: %w", err)
	}
	return &disk{fs, o.Udev}, nil
}

// Name implements Probe.
func (*disk) Name() string { return "disk" }

// Collect implements Probe.
func (p *disk) Collect(_ context.Context, s *Sink) error {
	stats, err := p.fs.ProcDiskstats()
	if err != nil {
		return fmt.Errorf("read disk statistics: %w", err)
	}
	for i := range stats {
		if !ignoredBlockDevices.MatchString(stats[i].DeviceName) {
			p.addInfo(s, &stats[i])
			addDisk(s, &stats[i])
		}
	}
	return nil
}

// diskInfo has the labels of node_exporter 1.5, which Debian 12 has.
var diskInfo = gauge("node_disk_info", "What a block device is; always 1.",
	"device", "major", "minor", "model", "path", "revision", "serial", "wwn")

// udevFields are the properties in udev's database that become labels.
var udevFields = [...]string{"ID_MODEL", "ID_PATH", "ID_REVISION", "ID_SERIAL_SHORT", "ID_WWN"}

// addInfo reads what udev knows of a device; without it only the numbers are known.
func (p *disk) addInfo(s *Sink, d *blockdevice.Diskstats) {
	major, minor := strconv.FormatUint(uint64(d.MajorNumber), 10), strconv.FormatUint(uint64(d.MinorNumber), 10)
	known := [len(udevFields)]string{}
	text, err := os.ReadFile(filepath.Join(p.udev, "b"+major+":"+minor))
	if err == nil { // it is missing in containers and where udev does not run
		for line := range strings.Lines(string(text)) {
			property, _ := strings.CutPrefix(strings.TrimSpace(line), "E:")
			name, value, _ := strings.Cut(property, "=")
			if i := slices.Index(udevFields[:], name); i >= 0 {
				known[i] = value
			}
		}
	}
	s.Add(diskInfo, 1, d.DeviceName, major, minor, known[0], known[1], known[2], known[3], known[4])
}

func addDisk(s *Sink, d *blockdevice.Diskstats) {
	name := d.DeviceName
	s.Add(diskReads, float64(d.ReadIOs), name)
	s.Add(diskReadsMerged, float64(d.ReadMerges), name)
	s.Add(diskReadBytes, float64(d.ReadSectors)*sectorSize, name)
	s.Add(diskReadTime, millis(d.ReadTicks), name)
	s.Add(diskWrites, float64(d.WriteIOs), name)
	s.Add(diskWritesMerged, float64(d.WriteMerges), name)
	s.Add(diskWriteBytes, float64(d.WriteSectors)*sectorSize, name)
	s.Add(diskWriteTime, millis(d.WriteTicks), name)
	s.Add(diskIONow, float64(d.IOsInProgress), name)
	s.Add(diskIOTime, millis(d.IOsTotalTicks), name)
	s.Add(diskIOTimeTotal, millis(d.WeightedIOTicks), name)
	if d.IoStatsCount >= withDiscards {
		s.Add(diskDiscards, float64(d.DiscardIOs), name)
		s.Add(diskDiscardsMerged, float64(d.DiscardMerges), name)
		s.Add(diskDiscardSectors, float64(d.DiscardSectors), name)
		s.Add(diskDiscardTime, millis(d.DiscardTicks), name)
	}
	if d.IoStatsCount >= withFlushes {
		s.Add(diskFlushes, float64(d.FlushRequestsCompleted), name)
		s.Add(diskFlushTime, millis(d.TimeSpentFlushing), name)
	}
}

// millis is a number of milliseconds in seconds.
func millis(n uint64) float64 { return float64(n) / 1000 }
