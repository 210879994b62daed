package probe

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/prop"
)

const (
	systemdName = "org.freedesktop.systemd1"
	systemdPath = dbus.ObjectPath("/org/freedesktop/systemd1")
)

// standIn answers as systemd does, on a real bus: tests run where systemd does not.
type standIn struct{ units []unitOnBus }

// unitOnBus is an answer of ListUnits, in its order.
type unitOnBus struct {
	Name, Description, Load, Active, Sub, Followed string
	Path                                           dbus.ObjectPath
	Job                                            uint32
	JobType                                        string
	JobPath                                        dbus.ObjectPath
}

func (i *standIn) ListUnits() ([]unitOnBus, *dbus.Error) { return i.units, nil }

// startBus starts dbus-daemon as the system bus of this test.
func startBus(t *testing.T) (address string) {
	t.Helper()
	path, err := exec.LookPath("dbus-daemon")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("no dbus-daemon on this host")
		}
		t.Skip("no dbus-daemon on this host")
	}
	address = "unix:path=" + filepath.Join(t.TempDir(), "bus")
	cmd := exec.CommandContext(t.Context(), path, "--session", "--nofork", "--print-address", "--address="+address)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	if !bufio.NewScanner(out).Scan() {
		t.Fatal("dbus-daemon does not listen")
	}
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
	return address
}

// startSystemd puts the stand-in on the bus.
func startSystemd(t *testing.T) {
	t.Helper()
	conn, err := dbus.Connect(startBus(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	i := &standIn{}
	values := func(path dbus.ObjectPath, iface string, of map[string]any) {
		props := map[string]*prop.Prop{}
		for name, v := range of {
			props[name] = &prop.Prop{Value: v}
		}
		if _, err := prop.Export(conn, path, prop.Map{iface: props}); err != nil {
			t.Fatal(err)
		}
	}
	unit := func(name, load, active, kind string, of map[string]any) {
		path := systemdPath + "/unit/" + dbus.ObjectPath(strings.NewReplacer(".", "_2e", "-", "_2d").Replace(name))
		i.units = append(i.units, unitOnBus{Name: name, Load: load, Active: active, Path: path, JobPath: "/"})
		values(path, systemdName+"."+kind, of)
	}
	unit("web.service", "loaded", "active", "Service", map[string]any{"Type": "notify", "NRestarts": uint32(3)})
	unit("db.service", "loaded", "failed", "Service", map[string]any{"Type": "simple", "NRestarts": uint32(0)})
	unit("gone.service", "not-found", "inactive", "Service", map[string]any{"Type": "simple"})
	unit("tidy.timer", "loaded", "active", "Timer", map[string]any{"LastTriggerUSec": uint64(1700000000_500000)})
	unit("web.socket", "loaded", "active", "Socket", map[string]any{"NAccepted": uint32(7), "NConnections": uint32(2), "NRefused": uint32(1)})
	unit("data.mount", "loaded", "active", "Mount", map[string]any{"Type": "ext4"})
	unit("multi.target", "loaded", "active", "Target", nil)
	values(systemdPath, systemdName+".Manager", map[string]any{
		"Version": "252.38-1~deb12u1", "SystemState": "degraded", "Virtualization": "kvm",
	})
	if err := conn.Export(i, systemdPath, systemdName+".Manager"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.RequestName(systemdName, dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
}

func TestSystemd(t *testing.T) {
	startSystemd(t)
	got := collectAll(t.Context(), t, systemd{})
	want := map[string]float64{
		`node_systemd_unit_state{name="web.service",state="active",type="notify"}`: 1,
		`node_systemd_unit_state{name="web.service",state="failed",type="notify"}`: 0,
		`node_systemd_unit_state{name="db.service",state="failed",type="simple"}`:  1,
		`node_systemd_unit_state{name="tidy.timer",state="active",type=""}`:        1,
		`node_systemd_units{state="active"}`:                                       5,
		`node_systemd_units{state="failed"}`:                                       1,
		`node_systemd_units{state="inactive"}`:                                     1,
		`node_systemd_system_running`:                                              0,
		`node_systemd_version{version="252.38-1~deb12u1"}`:                         252.38,
		`node_systemd_service_restart_total{name="web.service"}`:                   3,
		`node_systemd_timer_last_trigger_seconds{name="tidy.timer"}`:               1700000000.5,
		`node_systemd_socket_accepted_connections_total{name="web.socket"}`:        7,
		`node_systemd_socket_current_connections{name="web.socket"}`:               2,
		`node_systemd_socket_refused_connections_total{name="web.socket"}`:         1,
	}
	for name, v := range want {
		if g, ok := got[name]; !ok || g != v {
			t.Errorf("%s = %v (%v), want %v", name, g, ok, v)
		}
	}
	// Four units in five states, five sums, two of the system, and six details.
	if n := 4*5 + 5 + 2 + 6; len(got) != n {
		t.Errorf("%d series, want %d: %v", len(got), n, got)
	}
}

// TestSystemdAbsent: a host without systemd has a probe that fails, and says why.
func TestSystemdAbsent(t *testing.T) {
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+filepath.Join(t.TempDir(), "none"))
	err := systemd{}.Collect(t.Context(), reset(NewSink(nil)))
	if err == nil || !strings.Contains(err.Error(), "connect to systemd over D-Bus") {
		t.Errorf("error %v", err)
	}
}

// TestSystemdAgainstNodeExporter: it asks the same systemd, and says the same.
func TestSystemdAgainstNodeExporter(t *testing.T) {
	startSystemd(t)
	url := startNodeExporter(t, nodeExporter(t), "--collector.disable-defaults", "--collector.systemd", "--collector.systemd.enable-restarts-metrics")
	theirs, types := scrape(t, url)
	s := NewSink(nil)
	if err := (systemd{}).Collect(t.Context(), reset(s)); err != nil {
		t.Fatal(err)
	}
	ours := map[string]bool{}
	for _, series := range s.Series() {
		name := text(series)
		ours[name] = true
		if v, ok := theirs[name]; !ok || v != series.Samples[0].Value {
			t.Errorf("%s is %v here, %v (%v) in node_exporter", name, series.Samples[0].Value, v, ok)
		}
		if own := typeName(series.Type); own != types[series.Name()] {
			t.Errorf("%s is a %s here, a %s in node_exporter", series.Name(), own, types[series.Name()])
		}
	}
	for name := range theirs {
		if strings.HasPrefix(name, "node_systemd_") && !ours[name] {
			t.Errorf("node_exporter has %s besides", name)
		}
	}
}
