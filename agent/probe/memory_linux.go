package probe

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"thump/internal/telemetry"
)

// memory reads meminfo, whole, and the paging counters of vmstat.
type memory struct {
	meminfo, vmstat string // paths; static after construction

	// Owned by Collect.
	file  fields
	descs map[string]*Desc // by the field's name in its file; nil: not wanted
}

func newMemory(o Options) (Probe, error) {
	return &memory{
		meminfo: filepath.Join(o.Proc, "meminfo"),
		vmstat:  filepath.Join(o.Proc, "vmstat"),
		descs:   map[string]*Desc{},
	}, nil
}

// Name implements Probe.
func (*memory) Name() string { return "memory" }

// Collect implements Probe.
func (p *memory) Collect(_ context.Context, s *Sink) error {
	err := p.file.read(p.meminfo, func(name []byte, value float64, unit []byte) {
		if string(unit) == "kB" {
			value *= 1024
		}
		s.Add(p.desc(name, unit, meminfoDesc), value)
	})
	if err != nil {
		return fmt.Errorf("read meminfo: %w", err)
	}
	err = p.file.read(p.vmstat, func(name []byte, value float64, unit []byte) {
		if d := p.desc(name, unit, vmstatDesc); d != nil {
			s.Add(d, value)
		}
	})
	if err != nil {
		return fmt.Errorf("read vmstat: %w", err)
	}
	return nil
}

func (p *memory) desc(name, unit []byte, describe func(name, unit string) *Desc) *Desc {
	d, known := p.descs[string(name)]
	if !known {
		d = describe(string(name), string(unit))
		p.descs[string(name)] = d
	}
	return d
}

// meminfoDesc names a field as node_exporter does: Active(anon) in kB is
// node_memory_Active_anon_bytes.
func meminfoDesc(field, unit string) *Desc {
	field = strings.TrimSuffix(field, ":")
	name := "node_memory_" + strings.TrimSuffix(strings.ReplaceAll(field, "(", "_"), ")")
	if unit == "kB" {
		name += "_bytes"
	}
	return gauge(name, "Memory information field "+field+".")
}

// vmstatWanted is node_exporter's default of --collector.vmstat.fields, and what
// tells why a host is short of memory: reclaim, refaults, compaction, huge pages.
var vmstatWanted = regexp.MustCompile(`^(oom_kill|pgpg|pswp|pg.*fault|(pgscan|pgsteal)_(kswapd|direct|anon|file)$|allocstall|pg(activate|deactivate|refill|rotated)$|` +
	`workingset_(refault|activate)|compact_(stall|fail|success)$|thp_(fault_alloc|fault_fallback|split_page)$|pgmigrate|numa_(hit|miss|foreign|local|other|pages_migrated)$|` +
	`swap_ra|drop_|slabs_scanned|kswapd_|pageoutrun).*`)

func vmstatDesc(field, _ string) *Desc {
	if !vmstatWanted.MatchString(field) {
		return nil
	}
	return NewDesc("node_vmstat_"+field, telemetry.Unspecified, "/proc/vmstat field "+field+".")
}
