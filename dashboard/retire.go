package dashboard

import (
	"thump/internal/bus"
	"thump/internal/control"
	"thump/internal/telemetry"
)

// retirements is the subscription to what is said of the fleet: a queue of its
// own, so that no flood of metrics drops any of it.
func retirements() bus.Subscription {
	return bus.Subscription{
		NoAck:    true,
		Args:     bus.Args{"x-max-length": int32(1000), "x-overflow": "drop-head"},
		Bindings: []bus.Binding{{Source: telemetry.ControlExchange, Key: control.FleetKey}},
	}
}

// retire forgets a host that is gone for good.
func (d *Dashboard) retire(m *bus.Message) {
	if m.Type != control.RetiredType { // of a newer version
		return
	}
	r, err := control.DecodeRetired(m)
	if err != nil {
		d.log.Warn("retirement not understood", "err", err)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.fleet.forget(r.Host) {
		return
	}
	d.log.Info("host retired", "host", r.Host, "group", r.Group)
	d.hub.renew(allHosts)
	d.hub.renew(r.Host)
}
