package probe

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// pressures are the files of the kernel's pressure stall information, and what
// node_exporter makes of their two lines; "some" of the CPU is all there is, and
// of interrupts only "full".
var pressures = []struct {
	file       string
	some, full *Desc
}{
	{"cpu", stall("cpu_waiting", "Time that processes waited for the CPU."), nil},
	{"memory", stall("memory_waiting", "Time that processes waited for memory."),
		stall("memory_stalled", "Time in which nothing ran for want of memory.")},
	{"io", stall("io_waiting", "Time that processes waited for I/O."),
		stall("io_stalled", "Time in which nothing ran for want of I/O.")},
	{"irq", nil, stall("irq_stalled", "Time in which nothing ran because of interrupts.")},
}

func stall(name, help string) *Desc {
	return counter("node_pressure_"+name+"_seconds_total", help)
}

// pressure reads how long processes waited for what they lacked.
type pressure struct {
	dir string // static after construction
	buf lines  // owned by Collect
}

func newPressure(o Options) (Probe, error) {
	return &pressure{dir: filepath.Join(o.Proc, "pressure")}, nil
}

// Name implements Probe.
func (*pressure) Name() string { return "pressure" }

// Collect implements Probe. A kernel that has PSI off has the files, and refuses
// to read them.
func (p *pressure) Collect(_ context.Context, s *Sink) error {
	for i := range pressures {
		src := &pressures[i]
		err := p.buf.read(filepath.Join(p.dir, src.file), func(line string) error {
			kind, _ := cutWord(line)
			_, total, found := strings.Cut(line, "total=")
			d := src.some
			if kind == "full" {
				d = src.full
			}
			if d == nil || !found {
				return nil
			}
			us, err := parseUint(total)
			s.Add(d, float64(us)/1e6)
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.EOPNOTSUPP) {
			return fmt.Errorf("read pressure: %w", err)
		}
	}
	return nil
}
