package broker

import (
	"cmp"
	"slices"
	"time"

	"thump/broker/journal"
	"thump/broker/vhost"
)

// Snapshot is the broker at one moment.
type Snapshot struct {
	Connections []ConnectionState // by name
	VHosts      []VHostState      // by name
	Alarm       string            // why publishers are blocked; "": they are not
}

// ConnectionState is one connection.
type ConnectionState struct {
	Name     string // peer -> own address
	User     string // empty before the login
	VHost    string
	Client   string // what the client calls itself
	Since    time.Time
	Channels int
	Received uint64 // bytes
	Sent     uint64 // bytes
}

// VHostState is one virtual host.
type VHostState struct {
	Name string
	vhost.State
	QueueList []vhost.QueueState // by name
	Journal   journal.Stats
}

// Snapshot reads the broker's state.
func (b *Broker) Snapshot() Snapshot {
	var s Snapshot
	s.Alarm, _ = b.alarm.state()
	b.mu.Lock()
	for c := range b.connections {
		s.Connections = append(s.Connections, c.state())
	}
	b.mu.Unlock()
	slices.SortFunc(s.Connections, func(a, b ConnectionState) int { return cmp.Compare(a.Name, b.Name) })
	for _, v := range b.storage.all() {
		s.VHosts = append(s.VHosts, VHostState{
			Name: v.Name(), State: v.State(), QueueList: v.Queues(), Journal: v.Journal().Stats(),
		})
	}
	slices.SortFunc(s.VHosts, func(a, b VHostState) int { return cmp.Compare(a.Name, b.Name) })
	return s
}

func (c *connection) state() ConnectionState {
	s := ConnectionState{
		Name: c.name, Since: c.since, Channels: int(c.channelCount.Load()),
		Received: c.received.Load(), Sent: c.out.bytesSent(),
	}
	if c.opened.Load() {
		s.User, s.VHost = c.user, c.vhost.Name()
		s.Client, _ = c.clientProperties["product"].(string)
	}
	return s
}
