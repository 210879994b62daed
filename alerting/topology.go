package alerting

import (
	"time"

	"thump/internal/bus"
	"thump/internal/control"
	"thump/internal/telemetry"
)

// forgetQueue is after how long without its instance the queue of a named one
// goes, so that it does not grow for ever behind one that is no more.
const forgetQueue = 7 * 24 * time.Hour

// queue is the queue of this instance.
func (c *Config) queue() string {
	if c.Cluster.Name == "" {
		return telemetry.AlertingQueue
	}
	return telemetry.AlertingQueue + "." + c.Cluster.Name
}

// Topology is what alerting needs on the broker besides the pipeline's: what is
// said of the fleet comes by its own queue too, behind what was published before,
// and waits while alerting is away. A further instance has a queue of its own.
func (c *Config) Topology() bus.Topology {
	t := bus.Topology{Bindings: []bus.Binding{
		{Source: telemetry.ControlExchange, Key: control.FleetKey, Destination: c.queue()},
	}}
	if c.Cluster.Name != "" {
		t.Queues = []bus.Queue{{Name: c.queue(), Args: bus.Args{
			"x-dead-letter-exchange": "", "x-dead-letter-routing-key": telemetry.RejectedQueue,
			"x-expires": int32(forgetQueue.Milliseconds()),
		}}}
		t.Bindings = append(t.Bindings, bus.Binding{Source: telemetry.MetricsExchange, Destination: c.queue()})
	}
	return t
}
