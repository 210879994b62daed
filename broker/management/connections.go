package management

import (
	"fmt"

	"thump/broker"
)

// connectionsSeen are the connections that the user may see: all for those who
// monitor, else the user's own.
func (s *Server) connectionsSeen(c *call) []broker.ConnectionDetail {
	var seen []broker.ConnectionDetail
	for _, d := range s.broker.Details() {
		mine := c.has("monitoring", "administrator") || d.User == c.user.Name
		if mine && (c.vhost == nil || d.VHost == c.vhost.Name()) {
			seen = append(seen, d)
		}
	}
	return seen
}

func (s *Server) connections(c *call) (any, error) {
	var items []object
	for _, d := range s.connectionsSeen(c) {
		items = append(items, s.connectionObject(d))
	}
	return list(c, items)
}

// connectionPart answers /connections/NAME/channels and /connections/username/NAME.
func (s *Server) connectionPart(c *call) (any, error) {
	switch {
	case c.part("connection") == "username":
		return s.connectionsOf(c, c.part("part"))
	case c.part("part") == "channels":
		return s.channelsOfConnection(c)
	}
	return nil, notFound()
}

func (s *Server) connectionsOf(c *call, user string) (any, error) {
	var items []object
	for _, d := range s.connectionsSeen(c) {
		if d.User == user {
			items = append(items, s.connectionObject(d))
		}
	}
	return list(c, items)
}

func (s *Server) connectionObject(d broker.ConnectionDetail) object {
	state := "running"
	if d.Closing {
		state = "closing"
	}
	o := object{
		"name": d.Name, "user": d.User, "user_who_performed_action": d.User, "vhost": d.VHost, "node": s.node,
		"type": "network", "protocol": "AMQP 0-9-1", "auth_mechanism": d.Mechanism, "state": state,
		"connected_at": d.Since.UnixMilli(), "channels": d.Channels, "channel_max": d.ChannelMax, "frame_max": d.FrameMax,
		"timeout": int(d.Heartbeat.Seconds()), "client_properties": objectOf(d.ClientProperties), "ssl": false,
		"ssl_cipher": "", "ssl_hash": "", "ssl_key_exchange": "", "ssl_protocol": "",
		"peer_cert_issuer": "", "peer_cert_subject": "", "peer_cert_validity": "",
	}
	if d.Peer != nil && d.Local != nil {
		o["peer_host"], o["peer_port"] = d.Peer.IP.String(), d.Peer.Port
		o["host"], o["port"] = d.Local.IP.String(), d.Local.Port
	}
	s.rates.put(o, key("connection", d.Name), connectionStats(d))
	return o
}

func (s *Server) connection(c *call) (broker.ConnectionDetail, error) {
	for _, d := range s.connectionsSeen(c) {
		if d.Name == c.part("connection") {
			return d, nil
		}
	}
	return broker.ConnectionDetail{}, notFound()
}

func (s *Server) oneConnection(c *call) (any, error) {
	d, err := s.connection(c)
	if err != nil {
		return nil, err
	}
	return s.connectionObject(d), nil
}

func (s *Server) closeConnection(c *call) (any, error) {
	d, err := s.connection(c)
	if err != nil {
		return nil, err
	}
	s.closeNamed(c, d.Name)
	return nil, nil
}

func (s *Server) closeNamed(c *call, name string) {
	reason := c.Header.Get("X-Reason")
	if given := c.URL.Query().Get("reason"); given != "" {
		reason = given
	}
	if reason == "" {
		reason = "Closed via management plugin"
	}
	s.broker.CloseConnection(name, reason)
}

// closeConnectionsOf closes all connections of a user.
func (s *Server) closeConnectionsOf(c *call) (any, error) {
	for _, d := range s.connectionsSeen(c) {
		if d.User == c.part("user") {
			s.closeNamed(c, d.Name)
		}
	}
	return nil, nil
}

func channelName(c broker.ConnectionDetail, ch broker.ChannelDetail) string {
	return fmt.Sprintf("%s (%d)", c.Name, ch.Number)
}

func (s *Server) channels(c *call) (any, error) {
	var items []object
	for _, d := range s.connectionsSeen(c) {
		for _, ch := range d.ChannelList {
			items = append(items, s.channelObject(d, ch))
		}
	}
	return list(c, items)
}

func (s *Server) channelsOfConnection(c *call) (any, error) {
	d, err := s.connection(c)
	if err != nil {
		return nil, err
	}
	var items []object
	for _, ch := range d.ChannelList {
		items = append(items, s.channelObject(d, ch))
	}
	return list(c, items)
}

func (s *Server) channelObject(d broker.ConnectionDetail, ch broker.ChannelDetail) object {
	o := object{
		"name": channelName(d, ch), "number": ch.Number, "user": d.User, "user_who_performed_action": d.User,
		"vhost": d.VHost, "node": s.node, "state": "running", "connection_details": peerObject(d),
		"confirm": ch.Confirm, "prefetch_count": ch.Prefetch, "global_prefetch_count": ch.Limit,
		"consumer_count": len(ch.Consumers), "messages_unacknowledged": ch.Unacked, "messages_unconfirmed": ch.Unconfirm,
	}
	s.rates.putMessages(o, key("channel", channelName(d, ch)), channelStats(ch))
	return o
}

func peerObject(d broker.ConnectionDetail) object {
	o := object{"name": d.Name}
	if d.Peer != nil {
		o["peer_host"], o["peer_port"] = d.Peer.IP.String(), d.Peer.Port
	}
	return o
}

func (s *Server) oneChannel(c *call) (any, error) {
	for _, d := range s.connectionsSeen(c) {
		for _, ch := range d.ChannelList {
			if channelName(d, ch) == c.part("channel") {
				return s.channelWithConsumers(d, ch), nil
			}
		}
	}
	return nil, notFound()
}

func (s *Server) channelWithConsumers(d broker.ConnectionDetail, ch broker.ChannelDetail) object {
	o := s.channelObject(d, ch)
	consumers := []object{}
	for _, k := range ch.Consumers {
		consumers = append(consumers, s.consumerObject(d, ch, k))
	}
	o["consumer_details"], o["publishes"], o["deliveries"] = consumers, []any{}, []any{}
	return o
}

// consumersOf lists the consumers that keep holds for.
func (s *Server) consumersOf(keep func(broker.ConnectionDetail, broker.ConsumerDetail) bool) []object {
	items := []object{}
	for _, d := range s.broker.Details() {
		for _, ch := range d.ChannelList {
			for _, k := range ch.Consumers {
				if keep(d, k) {
					items = append(items, s.consumerObject(d, ch, k))
				}
			}
		}
	}
	return items
}

func (s *Server) consumers(c *call) (any, error) {
	seen, err := s.visible(c)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, v := range seen {
		names[v.Name()] = true
	}
	return list(c, s.consumersOf(func(d broker.ConnectionDetail, _ broker.ConsumerDetail) bool { return names[d.VHost] }))
}

func (s *Server) consumerObject(d broker.ConnectionDetail, ch broker.ChannelDetail, k broker.ConsumerDetail) object {
	channel := peerObject(d)
	channel["connection_name"], channel["name"] = d.Name, channelName(d, ch)
	channel["number"], channel["node"], channel["user"] = ch.Number, s.node, d.User
	return object{
		"consumer_tag": k.Tag, "queue": object{"name": k.Queue, "vhost": d.VHost}, "ack_required": !k.NoAck,
		"exclusive": k.Exclusive, "prefetch_count": k.Prefetch, "arguments": objectOf(k.Args), "channel_details": channel,
		"active": true, "activity_status": "up",
	}
}
