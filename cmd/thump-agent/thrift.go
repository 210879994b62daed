package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"time"
)

// The agent shares a host with what the host is for.
const (
	// threads that run Go at a time: what the probes do takes milliseconds, and a
	// second thread mostly wakes up to find nothing to do.
	threads = 1
	// gcPercent makes the heap be collected from 1 MiB on instead of 4: a round of
	// all probes allocates a tenth of that.
	gcPercent = 25
	// settled is when what only the start needed is given back.
	settled = 5 * time.Second
)

// beThrifty sets the runtime up; who sets GOMAXPROCS or GOGC knows better.
func beThrifty() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(threads)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	time.AfterFunc(settled, func() {
		debug.FreeOSMemory()
		dropProgramPages()
	})
}
