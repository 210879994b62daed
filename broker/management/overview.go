package management

import (
	"net"
	"runtime"
	"strconv"
	"time"
)

func (s *Server) overview(c *call) (any, error) {
	t := newTotals(s.broker)
	o := object{
		"management_version": productVersion, "rabbitmq_version": productVersion, "product_version": productVersion,
		"product_name": "RabbitMQ", "thump_version": s.version, "go_version": runtime.Version(),
		"cluster_name": s.broker.Config().ClusterName, "node": s.node, "rates_mode": "basic",
		"erlang_version": "", "erlang_full_version": "", "release_series_support_status": "supported",
		"cluster_tags": object{}, "node_tags": object{}, "default_queue_type": "classic",
		"disable_stats": false, "enable_queue_totals": false, "statistics_db_event_queue": 0,
		"sample_retention_policies": object{"global": []int{}, "basic": []int{}, "detailed": []int{}},
		"exchange_types":            exchangeTypes(),
		"object_totals": object{
			"connections": t.connections, "channels": t.channels, "consumers": t.consumers,
			"queues": t.queues, "exchanges": t.exchanges,
		},
		"listeners": s.listeners(), "contexts": s.contexts(),
	}
	messages, lengths, churn := object{}, object{}, object{}
	s.rates.put(messages, keyOverview, t.messageStats)
	s.rates.put(lengths, keyLengths, t.lengths)
	s.rates.put(churn, keyChurn, t.churn)
	o["message_stats"], o["queue_totals"], o["churn_rates"] = messages, lengths, churn
	return o, nil
}

func exchangeTypes() []object {
	var list []object
	for _, t := range []string{"direct", "fanout", "headers", "topic"} {
		list = append(list, object{
			"name": t, "description": "AMQP " + t + " exchange, as per the AMQP specification", "enabled": true,
		})
	}
	return list
}

// listeners lists the ports.
func (s *Server) listeners() []object {
	list := []object{}
	for _, a := range s.broker.Addrs() {
		list = append(list, s.listener("amqp", a))
	}
	if s.http != nil {
		list = append(list, s.listener("http", s.Addr()))
	}
	return list
}

func (s *Server) listener(protocol string, a net.Addr) object {
	host, port := split(a)
	return object{"node": s.node, "protocol": protocol, "ip_address": host, "port": port, "socket_opts": object{"nodelay": true}}
}

func split(a net.Addr) (host string, port int) {
	host, text, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String(), 0
	}
	port, _ = strconv.Atoi(text) // it is a number in every address of a socket
	return host, port
}

func (s *Server) contexts() []object {
	if s.http == nil {
		return []object{}
	}
	host, port := split(s.Addr())
	return []object{{
		"node": s.node, "description": "RabbitMQ Management", "path": "/", "cowboy_opts": "[]", "ssl_opts": []any{},
		"ip": host, "port": strconv.Itoa(port),
	}}
}

func (s *Server) clusterName(*call) (any, error) {
	return object{"name": s.broker.Config().ClusterName}, nil
}

func (s *Server) extensions(*call) (any, error) {
	return []object{{"javascript": "dispatcher.js"}}, nil
}

// featureFlags: a broker that is never in a mixed cluster has none.
func (s *Server) featureFlags(*call) (any, error) { return []object{}, nil }

func (s *Server) whoami(c *call) (any, error) {
	return object{"name": c.user.Name, "tags": tagList(c.user.Tags), "is_internal_user": true}, nil
}

// auth tells a login page that OAuth is not to be used. It is open to all.
func (s *Server) auth(*call) (any, error) {
	return object{"oauth_enabled": false, "enable_uaa": false, "uaa_client_id": "", "uaa_location": ""}, nil
}

func (s *Server) uptime() time.Duration { return time.Since(s.started) }
