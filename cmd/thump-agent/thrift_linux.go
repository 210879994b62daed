package main

import (
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// dropProgramPages takes the program's read-only pages out of this process. Two
// thirds of them only the start needs: tables of other packages, flags, parsers.
// The rest comes back, a page fault each, from the page cache or the file.
func dropProgramPages() {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return
	}
	for line := range strings.Lines(string(maps)) {
		f := strings.Fields(line)
		if len(f) == 6 && f[5] == program && strings.HasPrefix(f[1], "r-") { // never a page that was written
			dropRange(f[0])
		}
	}
}

// dropRange takes "from-to", in hex.
func dropRange(text string) {
	low, high, _ := strings.Cut(text, "-")
	from, err := strconv.ParseUint(low, 16, 64)
	if err != nil {
		return
	}
	to, err := strconv.ParseUint(high, 16, 64)
	if err != nil || to <= from {
		return
	}
	// An address outside of Go's heap, which the collector never moves.
	pages := unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&from))), to-from)
	_ = unix.Madvise(pages, unix.MADV_DONTNEED) // a saving, not a need
}
