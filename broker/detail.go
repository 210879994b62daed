package broker

import (
	"cmp"
	"maps"
	"net"
	"slices"
	"time"

	"thump/broker/amqp"
	"thump/broker/vhost"
)

// ConnectionDetail is one open connection, with all that management shows of it.
type ConnectionDetail struct {
	ConnectionState
	Peer, Local      *net.TCPAddr
	Mechanism        string // of the login
	FrameMax         int    // bytes
	ChannelMax       int
	Heartbeat        time.Duration
	ClientProperties amqp.Table
	Closing          bool
	ChannelList      []ChannelDetail // by number
}

// ChannelDetail is one channel of a connection.
type ChannelDetail struct {
	Number    uint16
	Confirm   bool // publisher confirms are on
	Prefetch  int  // of consumers to come
	Limit     int  // of unacknowledged deliveries of the whole channel; 0: none was set
	Unacked   int
	Unconfirm int    // publishes that await their confirm
	Published uint64 // publishes, once their burst was over
	Confirmed uint64
	Delivered uint64 // to consumers and by basic.get
	Settled   uint64 // deliveries acknowledged, rejected or requeued
	Consumers []ConsumerDetail
}

// ConsumerDetail is one consumer of a channel.
type ConsumerDetail struct {
	vhost.ConsumerSpec
	Queue string
}

// Details returns the open connections, by name.
func (b *Broker) Details() []ConnectionDetail {
	b.mu.Lock()
	all := slices.Collect(maps.Keys(b.connections))
	b.mu.Unlock()
	var list []ConnectionDetail
	for _, c := range all {
		if c.opened.Load() {
			list = append(list, c.detail())
		}
	}
	slices.SortFunc(list, func(a, b ConnectionDetail) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

func (c *connection) detail() ConnectionDetail {
	d := ConnectionDetail{
		ConnectionState: c.state(), Mechanism: c.mechanism, FrameMax: c.frameMax, ChannelMax: c.channelMax,
		Heartbeat: c.heartbeat, ClientProperties: c.clientProperties, Closing: c.closing.Load(),
	}
	d.Peer, _ = c.conn.RemoteAddr().(*net.TCPAddr)
	d.Local, _ = c.conn.LocalAddr().(*net.TCPAddr)
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	for _, ch := range c.channels {
		d.ChannelList = append(d.ChannelList, ch.detailLocked())
	}
	slices.SortFunc(d.ChannelList, func(a, b ChannelDetail) int { return cmp.Compare(a.Number, b.Number) })
	return d
}

func (ch *channel) detailLocked() ChannelDetail {
	d := ChannelDetail{
		Number: ch.id, Confirm: ch.confirms.selected, Prefetch: int(ch.prefetch), Unacked: ch.unacked.count(),
		Unconfirm: len(ch.confirms.waiting), Published: ch.seen, Confirmed: ch.confirms.confirmed,
		Delivered: ch.lastTag, Settled: ch.settled,
	}
	if ch.limit != ch.conn.broker.config.MaxUnacked {
		d.Limit = ch.limit
	}
	for _, c := range ch.consumers {
		if c != nil {
			d.Consumers = append(d.Consumers, ConsumerDetail{ConsumerSpec: c.Spec(), Queue: c.Queue().Name()})
		}
	}
	slices.SortFunc(d.Consumers, func(a, b ConsumerDetail) int { return cmp.Compare(a.Tag, b.Tag) })
	return d
}
