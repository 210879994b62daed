package probe

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"thump/internal/telemetry"
)

var (
	hwmonChip  = gauge("node_hwmon_chip_names", "Name of a chip; always 1.", "chip", "chip_name")
	hwmonLabel = gauge("node_hwmon_sensor_label", "Label of a sensor; always 1.", "chip", "sensor", "label")
)

// hwmonUnits are the units of a kind's values, Documentation/hwmon/sysfs-interface.rst.
var hwmonUnits = map[string]struct {
	suffix string
	factor float64
	typ    telemetry.Type
}{
	"temp":     {"_celsius", 1e-3, telemetry.Gauge},
	"in":       {"_volts", 1e-3, telemetry.Gauge},
	"cpu":      {"_volts", 1e-3, telemetry.Gauge},
	"curr":     {"_amps", 1e-3, telemetry.Gauge},
	"power":    {"_watt", 1e-6, telemetry.Gauge},
	"energy":   {"_joule_total", 1e-6, telemetry.Counter},
	"humidity": {"", 1e-6, telemetry.Gauge},
	"fan":      {"_rpm", 1, telemetry.Gauge},
}

func (p *hardware) addHwmon(s *Sink) {
	p.each("class/hwmon/hwmon[0-9]*", func(dir, name string) {
		if !exists(dir+"/name") && exists(dir+"/device/name") {
			dir += "/device"
		}
		chip := chipName(dir, name)
		s.Add(hwmonChip, 1, chip, metricWords(attribute(dir+"/name")))
		entries, err := os.ReadDir(dir)
		if err != nil {
			return
		}
		for _, e := range entries {
			if kind, sensor, property, err := sensorFile(e.Name()); err == nil {
				p.addSensor(s, filepath.Join(dir, e.Name()), chip, kind, sensor, property)
			}
		}
	})
}

func (p *hardware) addSensor(s *Sink, path, chip, kind, sensor, property string) {
	if property == "label" {
		if label := attribute(path); label != "" {
			s.Add(hwmonLabel, 1, chip, sensor, label)
		}
		return
	}
	if _, known := hwmonUnits[kind]; !known || property == "" {
		return
	}
	v, ok := numberAt(path)
	if !ok {
		return
	}
	d, factor := p.sensor(kind, property)
	s.Add(d, v*factor, chip, sensor)
}

// sensor names a property as node_exporter does: what is no measure, such as an
// alarm, has no unit.
func (p *hardware) sensor(kind, property string) (*Desc, float64) {
	u := hwmonUnits[kind]
	name := "node_hwmon_" + kind
	if property != "input" {
		name += "_" + metricWords(property)
	}
	switch {
	case property == "fault" || property == "alarm" || property == "type" || property == "accuracy",
		kind == "fan" && property != "input" && property != "min" && property != "max" && property != "target":
		u.suffix, u.factor, u.typ = "", 1, telemetry.Gauge
	case property == "beep":
		name += "_enabled"
		u.suffix, u.factor, u.typ = "", 1, telemetry.Gauge
	}
	name += u.suffix
	return p.desc(name, func() *Desc {
		return NewDesc(name, u.typ, "Hardware monitor for "+kind+" ("+property+").", "chip", "sensor")
	}), u.factor
}

// chipName is made of the place of the device, which stays the same from start to
// start, as the number of the folder does not.
func chipName(dir, fallback string) string {
	if path, err := filepath.EvalSymlinks(filepath.Join(dir, "device")); err == nil {
		device, bus := metricWords(filepath.Base(path)), metricWords(filepath.Base(filepath.Dir(path)))
		switch {
		case device != "" && bus != "":
			return bus + "_" + device
		case device != "":
			return device
		}
	}
	if name := metricWords(attribute(dir + "/name")); name != "" {
		return name
	}
	return fallback
}

var notWord = regexp.MustCompile(`[^a-z0-9:_]`)

func metricWords(s string) string {
	return strings.Trim(notWord.ReplaceAllString(strings.ToLower(s), "_"), "_")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
