package broker

import (
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Churn counts what has come and gone since the start.
type Churn struct {
	ConnectionsOpened int64
	Published         int64 // messages
	Confirmed         int64
	Returned          int64 // mandatory messages sent back
	Dropped           int64 // messages that no queue wanted
}

// Churn reads the counters.
func (b *Broker) Churn() Churn {
	m := b.metrics
	return Churn{
		ConnectionsOpened: count(m.connectionsOpened), Published: count(m.published), Confirmed: count(m.confirmed),
		Returned: count(m.returned), Dropped: count(m.dropped),
	}
}

func count(c prometheus.Counter) int64 {
	var m dto.Metric
	if err := c.Write(&m); err != nil {
		return 0 // a counter of ours always can
	}
	return int64(m.GetCounter().GetValue())
}
