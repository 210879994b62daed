package agent

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// residentBytes is the memory of this process; ok is false where it is unknown.
func residentBytes() (n float64, ok bool, err error) {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, false, err
	}
	fields := strings.Fields(string(b)) // size, resident, …, in pages
	if len(fields) < 2 {
		return 0, false, fmt.Errorf("statm has %d fields", len(fields))
	}
	pages, err := strconv.ParseUint(fields[1], 10, 64)
	return float64(pages) * float64(os.Getpagesize()), true, err
}
