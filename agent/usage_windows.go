package agent

import "golang.org/x/sys/windows"

// cpuSeconds is the CPU time that this process has used.
func cpuSeconds() (float64, error) {
	var created, exited, kernel, user windows.Filetime
	if err := windows.GetProcessTimes(windows.CurrentProcess(), &created, &exited, &kernel, &user); err != nil {
		return 0, err
	}
	const tick = 100e-9 // of a Filetime, in seconds
	ticks := func(f windows.Filetime) float64 { return float64(uint64(f.HighDateTime)<<32 | uint64(f.LowDateTime)) }
	return (ticks(kernel) + ticks(user)) * tick, nil
}
