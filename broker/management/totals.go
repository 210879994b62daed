package management

import (
	"thump/broker"
)

// totals are the numbers of the whole broker.
type totals struct {
	messageStats, lengths, churn                        []stat
	connections, channels, consumers, queues, exchanges int
}

func newTotals(b *broker.Broker) totals {
	var t totals
	var stats [][]stat
	ready, unacked := 0, 0
	for _, v := range b.VHosts() {
		s := v.State()
		stats = append(stats, vhostStats(s, v.Exchanges()))
		ready += s.Ready
		unacked += s.Unacked
		t.queues += s.Queues
		t.exchanges += s.Exchanges
		t.consumers += s.Consumers
	}
	for _, c := range b.Details() {
		t.connections++
		t.channels += len(c.ChannelList)
	}
	c := b.Churn()
	t.messageStats = append(sum(stats...), stat{"confirm", c.Confirmed}, stat{"return_unroutable", c.Returned})
	t.lengths = lengths(ready, unacked)
	t.churn = []stat{
		{"connection_created", c.ConnectionsOpened},
		{"connection_closed", c.ConnectionsOpened - int64(t.connections)},
	}
	return t
}
