// Package probe measures this host. A probe reads one source and gives its
// values node_exporter's names, labels, types and units; All is the one list of
// them. The caller times a probe through Measure, so that no probe has to.
//
// Which mounts, devices and fields count by default is what node_exporter's own
// defaults say, upstream; distributions narrow them (Debian leaves out lo, /run,
// /mnt and /media).
//
// Linux is complete. Other systems publish what gopsutil gives, under the names
// that the value has on Linux, so that one rule and one dashboard fit all.
// A probe starts no process on Linux and Windows; elsewhere gopsutil asks netstat(1)
// for the network and, on macOS without cgo, vm_stat(1) for the memory.
package probe
