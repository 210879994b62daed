package alerting

import (
	"thump/internal/bus"
	"thump/internal/control"
	"thump/internal/telemetry"
)

// Topology is what alerting needs on the broker besides the pipeline's: what is
// said of the fleet comes by its own queue too, behind what was published before,
// and waits while alerting is away.
func Topology() bus.Topology {
	return bus.Topology{Bindings: []bus.Binding{
		{Source: telemetry.ControlExchange, Key: control.FleetKey, Destination: telemetry.AlertingQueue},
	}}
}
