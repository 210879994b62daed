package probe

// What every system counts per block device.
var (
	diskReads       = counter("node_disk_reads_completed_total", "Reads completed.", "device")
	diskReadBytes   = counter("node_disk_read_bytes_total", "Bytes read.", "device")
	diskReadTime    = counter("node_disk_read_time_seconds_total", "Time spent by all reads.", "device")
	diskWrites      = counter("node_disk_writes_completed_total", "Writes completed.", "device")
	diskWriteBytes  = counter("node_disk_written_bytes_total", "Bytes written.", "device")
	diskWriteTime   = counter("node_disk_write_time_seconds_total", "Time spent by all writes.", "device")
	diskIOTime      = counter("node_disk_io_time_seconds_total", "Time in which at least one I/O was in progress.", "device")
	diskIOTimeTotal = counter("node_disk_io_time_weighted_seconds_total", "Time that I/Os were in progress, summed over them.", "device")
)
