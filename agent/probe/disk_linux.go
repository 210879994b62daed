package probe

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
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

// diskMetrics are the numbers behind a device's name in /proc/diskstats
// (Documentation/admin-guide/iostats.rst) with their units; a kernel before 4.18
// has no discards, one before 5.5 no flush requests.
var diskMetrics = [...]struct {
	desc *Desc
	in   func(uint64) float64
}{
	{diskReads, count}, {diskReadsMerged, count}, {diskReadBytes, sectors}, {diskReadTime, millis},
	{diskWrites, count}, {diskWritesMerged, count}, {diskWriteBytes, sectors}, {diskWriteTime, millis},
	{diskIONow, count}, {diskIOTime, millis}, {diskIOTimeTotal, millis},
	{diskDiscards, count}, {diskDiscardsMerged, count}, {diskDiscardSectors, count}, {diskDiscardTime, millis},
	{diskFlushes, count}, {diskFlushTime, millis},
}

func count(n uint64) float64   { return float64(n) }
func sectors(n uint64) float64 { return float64(n) * sectorSize }
func millis(n uint64) float64  { return float64(n) / 1000 }

// disk reads what passed through the block devices.
type disk struct {
	path, udev string // static after construction
	buf        lines  // owned by Collect
}

func newDisk(o Options) (Probe, error) {
	return &disk{path: filepath.Join(o.Proc, "diskstats"), udev: o.Udev}, nil
}

// Name implements Probe.
func (*disk) Name() string { return "disk" }

// Collect implements Probe.
func (p *disk) Collect(_ context.Context, s *Sink) error {
	err := p.buf.read(p.path, func(line string) error {
		major, rest := cutWord(line)
		minor, rest := cutWord(rest)
		name, rest := cutWord(rest)
		if name == "" || ignoredBlockDevices.MatchString(name) {
			return nil
		}
		p.addInfo(s, name, major, minor)
		return addDisk(s, name, rest)
	})
	if err != nil {
		return fmt.Errorf("read disk statistics: %w", err)
	}
	return nil
}

// diskInfo has the labels of node_exporter 1.5, which Debian 12 has.
var diskInfo = gauge("node_disk_info", "What a block device is; always 1.",
	"device", "major", "minor", "model", "path", "revision", "serial", "wwn")

// udevFields are the properties in udev's database that become labels.
var udevFields = [...]string{"ID_MODEL", "ID_PATH", "ID_REVISION", "ID_SERIAL_SHORT", "ID_WWN"}

// addInfo reads what udev knows of a device; without it only the numbers are known.
func (p *disk) addInfo(s *Sink, name, major, minor string) {
	known := [len(udevFields)]string{}
	text, err := os.ReadFile(filepath.Join(p.udev, "b"+major+":"+minor))
	if err == nil { // it is missing in containers and where udev does not run
		for line := range strings.Lines(string(text)) {
			property, _ := strings.CutPrefix(strings.TrimSpace(line), "E:")
			field, value, _ := strings.Cut(property, "=")
			if i := slices.Index(udevFields[:], field); i >= 0 {
				known[i] = value
			}
		}
	}
	s.Add(diskInfo, 1, name, major, minor, known[0], known[1], known[2], known[3], known[4])
}

func addDisk(s *Sink, name, numbers string) error {
	for _, m := range diskMetrics {
		var word string
		word, numbers = cutWord(numbers)
		if word == "" {
			return nil
		}
		v, err := parseUint(word)
		if err != nil {
			return err
		}
		s.Add(m.desc, m.in(v), name)
	}
	return nil
}
