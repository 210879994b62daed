package probe

import (
	"strings"

	"thump/internal/telemetry"
)

// Desc describes a metric. It does not change once made.
type Desc struct {
	Name   string
	Type   telemetry.Type
	Help   string
	Unit   string
	Labels []string // names of the labels that Sink.Add takes the values of
}

// NewDesc describes a metric whose unit is what its name says.
func NewDesc(name string, t telemetry.Type, help string, labels ...string) *Desc {
	return &Desc{Name: name, Type: t, Help: help, Unit: unit(name), Labels: labels}
}

func gauge(name, help string, labels ...string) *Desc {
	return NewDesc(name, telemetry.Gauge, help, labels...)
}

func counter(name, help string, labels ...string) *Desc {
	return NewDesc(name, telemetry.Counter, help, labels...)
}

// unit is the base unit that ends a metric's name, before a _total.
func unit(name string) string {
	name = strings.TrimSuffix(name, "_total")
	switch u := name[strings.LastIndexByte(name, '_')+1:]; u {
	case "seconds", "bytes", "bits", "ratio", "sectors":
		return u
	}
	return ""
}
