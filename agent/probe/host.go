package probe

import "time"

// What every system says of itself.
var (
	hostBoot  = gauge("node_boot_time_seconds", "When the host started, Unix time.")
	hostTime  = gauge("node_time_seconds", "The host's clock, Unix time.")
	hostUname = gauge("node_uname_info", "What uname(2) says; always 1.",
		"domainname", "machine", "nodename", "release", "sysname", "version")
	hostZone = gauge("node_time_zone_offset_seconds", "Offset of the host's time zone.", "time_zone")
)

func addClock(s *Sink) {
	now := time.Now()
	s.Add(hostTime, float64(now.UnixNano())/1e9)
	zone, offset := now.Zone()
	s.Add(hostZone, float64(offset), zone)
}
