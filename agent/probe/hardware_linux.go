package probe

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

var (
	zoneTemp     = gauge("node_thermal_zone_temp", "Temperature of a thermal zone, degrees Celsius.", "zone", "type")
	coolingNow   = gauge("node_cooling_device_cur_state", "How hard a cooling device works.", "name", "type")
	coolingMax   = gauge("node_cooling_device_max_state", "How hard a cooling device can work.", "name", "type")
	edacCE       = counter("node_edac_correctable_errors_total", "Memory errors corrected.", "controller")
	edacUE       = counter("node_edac_uncorrectable_errors_total", "Memory errors not corrected.", "controller")
	edacRowCE    = counter("node_edac_csrow_correctable_errors_total", "Memory errors corrected, by row.", "controller", "csrow")
	edacRowUE    = counter("node_edac_csrow_uncorrectable_errors_total", "Memory errors not corrected, by row.", "controller", "csrow")
	powerOnline  = gauge("node_power_supply_online", "Whether a power supply gives power.", "power_supply")
	powerCharge  = gauge("node_power_supply_capacity", "Charge of a battery, percent.", "power_supply")
	frequency    = gauge("node_cpu_scaling_frequency_hertz", "Frequency of a CPU.", "cpu")
	frequencyMin = gauge("node_cpu_scaling_frequency_min_hertz", "Least frequency of a CPU.", "cpu")
	frequencyMax = gauge("node_cpu_scaling_frequency_max_hertz", "Greatest frequency of a CPU.", "cpu")
	nvmeInfo     = gauge("node_nvme_info", "What an NVMe device is; always 1.", "device", "firmware_revision", "model", "serial", "state")
)

// hardware reads temperatures, fans, voltages, memory errors and power. A sensor
// that does not answer is left out.
type hardware struct {
	sys string // static after construction

	// Owned by Collect.
	descs map[string]*Desc // of sensors, by name
}

func newHardware(o Options) (Probe, error) {
	return &hardware{sys: o.Sys, descs: map[string]*Desc{}}, nil
}

// Name implements Probe.
func (*hardware) Name() string { return "hardware" }

// Collect implements Probe.
func (p *hardware) Collect(ctx context.Context, s *Sink) error {
	for _, add := range []func(*Sink){p.addHwmon, p.addThermal, p.addEDAC, p.addPower, p.addFrequency, p.addNVMe, p.addDMI} {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		add(s)
	}
	return nil
}

// each visits the folders of sysfs that match.
func (p *hardware) each(pattern string, visit func(dir, name string)) {
	dirs, err := filepath.Glob(filepath.Join(p.sys, pattern))
	if err != nil { // only of a bad pattern, and these are ours
		panic(err)
	}
	for _, dir := range dirs {
		visit(dir, filepath.Base(dir))
	}
}

// addNumber adds a file of one number, if it is there.
func addNumber(s *Sink, d *Desc, path string, factor float64, labels ...string) {
	if v, ok := numberAt(path); ok {
		s.Add(d, v*factor, labels...)
	}
}

func (p *hardware) addThermal(s *Sink) {
	p.each("class/thermal/thermal_zone[0-9]*", func(dir, name string) {
		addNumber(s, zoneTemp, dir+"/temp", 1e-3, strings.TrimPrefix(name, "thermal_zone"), attribute(dir+"/type"))
	})
	p.each("class/thermal/cooling_device[0-9]*", func(dir, name string) {
		name, kind := strings.TrimPrefix(name, "cooling_device"), attribute(dir+"/type")
		addNumber(s, coolingNow, dir+"/cur_state", 1, name, kind)
		addNumber(s, coolingMax, dir+"/max_state", 1, name, kind)
	})
}

func (p *hardware) addEDAC(s *Sink) {
	p.each("devices/system/edac/mc/mc[0-9]*", func(dir, name string) {
		controller := strings.TrimPrefix(name, "mc")
		addNumber(s, edacCE, dir+"/ce_count", 1, controller)
		addNumber(s, edacUE, dir+"/ue_count", 1, controller)
		addNumber(s, edacRowCE, dir+"/ce_noinfo_count", 1, controller, "unknown")
		addNumber(s, edacRowUE, dir+"/ue_noinfo_count", 1, controller, "unknown")
		p.each("devices/system/edac/mc/"+name+"/csrow[0-9]*", func(dir, name string) {
			row := strings.TrimPrefix(name, "csrow")
			addNumber(s, edacRowCE, dir+"/ce_count", 1, controller, row)
			addNumber(s, edacRowUE, dir+"/ue_count", 1, controller, row)
		})
	})
}

func (p *hardware) addPower(s *Sink) {
	p.each("class/power_supply/*", func(dir, name string) {
		addNumber(s, powerOnline, dir+"/online", 1, name)
		addNumber(s, powerCharge, dir+"/capacity", 1, name)
	})
}

func (p *hardware) addFrequency(s *Sink) {
	const kilo = 1000
	p.each("devices/system/cpu/cpu[0-9]*", func(dir, name string) {
		cpu := strings.TrimPrefix(name, "cpu")
		addNumber(s, frequency, dir+"/cpufreq/scaling_cur_freq", kilo, cpu)
		addNumber(s, frequencyMin, dir+"/cpufreq/scaling_min_freq", kilo, cpu)
		addNumber(s, frequencyMax, dir+"/cpufreq/scaling_max_freq", kilo, cpu)
	})
}

func (p *hardware) addNVMe(s *Sink) {
	p.each("class/nvme/nvme[0-9]*", func(dir, name string) {
		s.Add(nvmeInfo, 1, name, attribute(dir+"/firmware_rev"), attribute(dir+"/model"), attribute(dir+"/serial"), attribute(dir+"/state"))
	})
}

// dmiFields are the files of class/dmi/id, and node_exporter's labels where they differ.
var dmiFields = map[string]string{"sys_vendor": "system_vendor"}

var dmiWanted = regexp.MustCompile(`^(bios|board|chassis|product)_[a-z_]+$|^sys_vendor$`)

// addDMI adds a label for each file that can be read: serial numbers are root's.
func (p *hardware) addDMI(s *Sink) {
	dir := filepath.Join(p.sys, "class/dmi/id")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	var names, values []string
	for _, e := range entries {
		if !dmiWanted.MatchString(e.Name()) {
			continue
		}
		if v := attribute(filepath.Join(dir, e.Name())); v != "" {
			name := e.Name()
			if other := dmiFields[name]; other != "" {
				name = other
			}
			names, values = append(names, name), append(values, v)
		}
	}
	if len(names) > 0 {
		s.Add(p.desc("node_dmi_info "+strings.Join(names, ","), func() *Desc {
			return gauge("node_dmi_info", "What the machine is; always 1.", names...)
		}), 1, values...)
	}
}

func (p *hardware) desc(key string, describe func() *Desc) *Desc {
	d := p.descs[key]
	if d == nil {
		d = describe()
		p.descs[key] = d
	}
	return d
}

var errNoSensor = errors.New("not a sensor")

// sensorFile splits temp1_crit_hyst into temp, temp1 and crit_hyst.
func sensorFile(name string) (kind, sensor, property string, err error) {
	kind = strings.TrimRight(name[:strings.IndexByte(name+"_", '_')], "0123456789")
	sensor, property, _ = strings.Cut(name, "_")
	if number := sensor[len(kind):]; number != "" {
		_, err = strconv.Atoi(number)
	} else {
		err = errNoSensor
	}
	return kind, sensor, property, err
}
