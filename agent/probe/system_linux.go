package probe

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// osFields are the fields of os-release(5) that become labels of node_os_info,
// sorted by the label.
var osFields = []string{
	"BUILD_ID", "ID", "ID_LIKE", "IMAGE_ID", "IMAGE_VERSION", "NAME", "PRETTY_NAME",
	"VARIANT", "VARIANT_ID", "VERSION", "VERSION_CODENAME", "VERSION_ID",
}

var (
	osInfo = gauge("node_os_info", "What system this is; always 1.", "build_id", "id", "id_like", "image_id", "image_version",
		"name", "pretty_name", "variant", "variant_id", "version", "version_codename", "version_id")
	osVersion        = gauge("node_os_version", "Version of the system, as far as it is a number.", "id", "id_like", "name")
	selinuxEnabled   = gauge("node_selinux_enabled", "Whether SELinux is enabled.")
	selinuxMode      = gauge("node_selinux_current_mode", "Mode of SELinux: 0 permissive, 1 enforcing.")
	selinuxConfig    = gauge("node_selinux_config_mode", "Mode of SELinux from the next start on: -1 disabled, 0 permissive, 1 enforcing.")
	clocksAvailable  = gauge("node_time_clocksource_available_info", "A clock that there is; always 1.", "device", "clocksource")
	clockCurrent     = gauge("node_time_clocksource_current_info", "The clock in use; always 1.", "device", "clocksource")
	schedRunning     = counter("node_schedstat_running_seconds_total", "Time that processes ran on a CPU.", "cpu")
	schedWaiting     = counter("node_schedstat_waiting_seconds_total", "Time that processes waited for a CPU.", "cpu")
	schedSlices      = counter("node_schedstat_timeslices_total", "Time slices that ran on a CPU.", "cpu")
	osVersionNumber  = regexp.MustCompile(`^[0-9]+\.?[0-9]*`)
	selinuxModes     = map[string]float64{"disabled": -1, "permissive": 0, "enforcing": 1}
	schedstatCPU     = regexp.MustCompile(`^cpu\d+$`)
	schedstatColumns = 10
)

// system reads what seldom changes: the distribution, SELinux, the clocks; and
// what the scheduler counts.
type system struct {
	o   Options // static after construction
	buf lines   // owned by Collect
}

func newSystem(o Options) (Probe, error) { return &system{o: o}, nil }

// Name implements Probe.
func (*system) Name() string { return "system" }

// Collect implements Probe.
func (p *system) Collect(_ context.Context, s *Sink) error {
	p.addClocks(s)
	return errors.Join(p.addOS(s), p.addSELinux(s), p.addSchedstat(s))
}

func (p *system) addOS(s *Sink) error {
	found := map[string]string{}
	visit := func(line string) error {
		name, value, _ := strings.Cut(line, "=")
		if unquoted, err := strconv.Unquote(value); err == nil {
			value = unquoted
		}
		found[name] = strings.Trim(value, `'"`)
		return nil
	}
	err := p.buf.read(filepath.Join(p.o.Etc, "os-release"), visit)
	if absent(err) == nil && err != nil {
		err = absent(p.buf.read("/usr/lib/os-release", visit))
	}
	if err != nil {
		return fmt.Errorf("read os-release: %w", err)
	}
	if len(found) == 0 {
		return nil
	}
	values := make([]string, len(osFields))
	for i, name := range osFields {
		values[i] = found[name]
	}
	s.Add(osInfo, 1, values...)
	if v, err := strconv.ParseFloat(osVersionNumber.FindString(found["VERSION_ID"]), 64); err == nil {
		s.Add(osVersion, v, found["ID"], found["ID_LIKE"], found["NAME"])
	}
	return nil
}

func (p *system) addSELinux(s *Sink) error {
	mode, enabled := numberAt(filepath.Join(p.o.Sys, "fs/selinux/enforce"))
	s.Add(selinuxEnabled, flag(enabled))
	if !enabled {
		return nil
	}
	s.Add(selinuxMode, mode)
	err := p.buf.read(filepath.Join(p.o.Etc, "selinux/config"), func(line string) error {
		value, found := strings.CutPrefix(line, "SELINUX=")
		if v, known := selinuxModes[strings.TrimSpace(value)]; found && known {
			s.Add(selinuxConfig, v)
		}
		return nil
	})
	if absent(err) != nil {
		return fmt.Errorf("read SELinux configuration: %w", err)
	}
	return nil
}

func (p *system) addClocks(s *Sink) {
	const kind = "clocksource"
	dirs, err := filepath.Glob(filepath.Join(p.o.Sys, "devices/system/clocksource", kind+"[0-9]*"))
	if err != nil { // only of a bad pattern, and this one is ours
		panic(err)
	}
	for _, dir := range dirs {
		device := strings.TrimPrefix(filepath.Base(dir), kind)
		for _, clock := range strings.Fields(attribute(dir + "/available_clocksource")) {
			s.Add(clocksAvailable, 1, device, clock)
		}
		if clock := attribute(dir + "/current_clocksource"); clock != "" {
			s.Add(clockCurrent, 1, device, clock)
		}
	}
}

// addSchedstat reads lines "cpu0 …" whose last three columns are nanoseconds that
// ran, nanoseconds that waited, and slices.
func (p *system) addSchedstat(s *Sink) error {
	err := p.buf.read(filepath.Join(p.o.Proc, "schedstat"), func(line string) error {
		words := strings.Fields(line)
		if !schedstatCPU.MatchString(words[0]) || len(words) < schedstatColumns {
			return nil
		}
		cpu := strings.TrimPrefix(words[0], "cpu")
		for i, c := range []struct {
			desc   *Desc
			factor float64
		}{{schedRunning, 1e-9}, {schedWaiting, 1e-9}, {schedSlices, 1}} {
			v, err := parseUint(words[schedstatColumns-3+i])
			if err != nil {
				return err
			}
			s.Add(c.desc, float64(v)*c.factor, cpu)
		}
		return nil
	})
	if absent(err) != nil {
		return fmt.Errorf("read scheduler statistics: %w", err)
	}
	return nil
}
