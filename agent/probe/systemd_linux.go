package probe

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/coreos/go-systemd/v22/dbus"
)

var (
	systemdUnit     = gauge("node_systemd_unit_state", "Whether a unit is in a state.", "name", "state", "type")
	systemdUnits    = gauge("node_systemd_units", "Units in a state.", "state")
	systemdRunning  = gauge("node_systemd_system_running", "Whether the system is up and no unit has failed.")
	systemdVersion  = gauge("node_systemd_version", "Version of systemd.", "version")
	systemdRestarts = counter("node_systemd_service_restart_total", "Times that a service was restarted by itself.", "name")
	systemdTimer    = gauge("node_systemd_timer_last_trigger_seconds", "When a timer last elapsed, Unix time.", "name")
	systemdAccepted = counter("node_systemd_socket_accepted_connections_total", "Connections that a socket unit accepted.", "name")
	systemdCurrent  = gauge("node_systemd_socket_current_connections", "Connections of a socket unit now.", "name")
	systemdRefused  = gauge("node_systemd_socket_refused_connections_total", "Connections that a socket unit refused.", "name")

	systemdStates  = []string{"active", "activating", "deactivating", "inactive", "failed"}
	systemdNumber  = regexp.MustCompile(`[0-9]+\.?[0-9]*`)
	errNoSuchValue = errors.New("property is not a number")

	// systemdIgnored is node_exporter's default of --collector.systemd.unit-exclude.
	systemdIgnored = regexp.MustCompile(`^(.+\.(automount|device|mount|scope|slice|target))$`)
)

// systemdLimit bounds the units that are looked at one by one.
const systemdLimit = 2000

// systemd asks the service manager over D-Bus how its units are. It asks several
// questions per unit, so that it runs only where a template wants it.
type systemd struct{}

func newSystemd(Options) (Probe, error) { return systemd{}, nil }

// Name implements Probe.
func (systemd) Name() string { return "systemd" }

// Collect implements Probe.
func (systemd) Collect(ctx context.Context, s *Sink) error {
	conn, err := dbus.NewWithContext(ctx)
	if err != nil {
		return fmt.Errorf("connect to systemd over D-Bus: %w", err)
	}
	defer conn.Close()
	m := manager{conn, ctx}
	units, err := conn.ListUnitsContext(ctx)
	if err != nil {
		return fmt.Errorf("list units: %w", err)
	}
	slices.SortFunc(units, func(a, b dbus.UnitStatus) int { return strings.Compare(a.Name, b.Name) })
	for _, state := range systemdStates {
		n := 0
		for i := range units {
			if units[i].ActiveState == state {
				n++
			}
		}
		s.Add(systemdUnits, float64(n), state)
	}
	return errors.Join(m.addUnits(s, units), m.addSystem(s))
}

// manager is systemd, for one run.
type manager struct {
	*dbus.Conn
	ctx context.Context // of the run
}

func (m manager) addSystem(s *Sink) error {
	version, err := m.GetManagerProperty("Version") // quoted
	if err != nil {
		return fmt.Errorf("read version: %w", err)
	}
	version = strings.Trim(version, `"`)
	if v, err := strconv.ParseFloat(systemdNumber.FindString(version), 64); err == nil {
		s.Add(systemdVersion, v, version)
	}
	state, err := m.SystemStateContext(m.ctx)
	if err != nil {
		return fmt.Errorf("read state of the system: %w", err)
	}
	s.Add(systemdRunning, flag(state.Value.Value() == "running"))
	return nil
}

func (m manager) addUnits(s *Sink, units []dbus.UnitStatus) error {
	looked := 0
	for i := range units {
		u := &units[i]
		if u.LoadState != "loaded" || systemdIgnored.MatchString(u.Name) {
			continue
		}
		if looked++; looked > systemdLimit {
			return fmt.Errorf("more than %d units, the rest is left out", systemdLimit)
		}
		kind := ""
		if strings.HasSuffix(u.Name, ".service") {
			kind = m.text(u.Name, "Service", "Type")
		}
		for _, state := range systemdStates {
			s.Add(systemdUnit, flag(u.ActiveState == state), u.Name, state, kind)
		}
		m.addDetails(s, u.Name)
		if m.ctx.Err() != nil {
			return m.ctx.Err()
		}
	}
	return nil
}

// addDetails adds what a kind of unit counts. A unit may go at any time, and an
// older systemd may lack a property: what it does not tell is left out.
func (m manager) addDetails(s *Sink, name string) {
	add := func(d *Desc, kind, property string, factor float64) {
		if v, err := m.number(name, kind, property); err == nil {
			s.Add(d, v*factor, name)
		}
	}
	switch {
	case strings.HasSuffix(name, ".service"):
		add(systemdRestarts, "Service", "NRestarts", 1)
	case strings.HasSuffix(name, ".timer"):
		add(systemdTimer, "Timer", "LastTriggerUSec", 1e-6)
	case strings.HasSuffix(name, ".socket"):
		add(systemdAccepted, "Socket", "NAccepted", 1)
		add(systemdCurrent, "Socket", "NConnections", 1)
		add(systemdRefused, "Socket", "NRefused", 1)
	}
}

func (m manager) text(unit, kind, property string) string {
	p, err := m.GetUnitTypePropertyContext(m.ctx, unit, kind, property)
	if err != nil {
		return ""
	}
	text, _ := p.Value.Value().(string)
	return text
}

func (m manager) number(unit, kind, property string) (float64, error) {
	p, err := m.GetUnitTypePropertyContext(m.ctx, unit, kind, property)
	if err != nil {
		return 0, err
	}
	switch v := p.Value.Value().(type) {
	case uint32:
		return float64(v), nil
	case uint64:
		return float64(v), nil
	}
	return 0, errNoSuchValue
}
