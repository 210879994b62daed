//go:build !linux

package probe

// onlyHere are the probes that only this system has.
var onlyHere []entry

// elsewhere names the probes that other systems have.
var elsewhere = []string{"pressure", "netstat", "system", "raid", "hardware", "tcp", "processes", "top", "systemd"}
