package management

import (
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"thump/broker"
	"thump/broker/vhost"
)

// metrics serves the broker's figures in the names of RabbitMQ's Prometheus
// plugin: sums, or with perObject each queue, channel and connection by itself.
// It asks for no login, as RabbitMQ's does not.
func (s *Server) metrics(perObject bool) http.HandlerFunc {
	r := prometheus.NewRegistry()
	r.MustRegister(&collector{server: s, perObject: perObject})
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{}).ServeHTTP
}

// collector reads the broker when it is scraped.
type collector struct {
	server    *Server
	perObject bool
}

// Describe says nothing: which metrics there are depends on the broker's objects.
func (*collector) Describe(chan<- *prometheus.Desc) {}

// Collect reads the broker.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	e := exposition{out: out, perObject: c.perObject, sums: map[figure]int64{}}
	s := c.server
	t := newTotals(s.broker)
	churn := s.broker.Churn()
	e.gauge("build_info", 1, "rabbitmq_version", productVersion, "thump_version", s.version)
	e.gauge("identity_info", 1, "rabbitmq_node", s.node, "rabbitmq_cluster", s.broker.Config().ClusterName)
	e.gauge("connections", int64(t.connections))
	e.gauge("channels", int64(t.channels))
	e.gauge("consumers", int64(t.consumers))
	e.gauge("queues", int64(t.queues))
	e.counter("connections_opened_total", churn.ConnectionsOpened)
	e.counter("connections_closed_total", churn.ConnectionsOpened-int64(t.connections))
	e.counter("global_messages_received_total", churn.Published, "protocol", "amqp091")
	e.counter("global_messages_confirmed_total", churn.Confirmed, "protocol", "amqp091")
	e.counter("global_messages_unroutable_dropped_total", churn.Dropped, "protocol", "amqp091")
	e.counter("global_messages_unroutable_returned_total", churn.Returned, "protocol", "amqp091")
	c.node(e)
	for _, v := range s.broker.VHosts() {
		e.vhost(v)
	}
	for _, d := range s.broker.Details() {
		e.connection(d)
	}
	e.total()
}

func (c *collector) node(e exposition) {
	alarm := c.server.broker.Snapshot().Alarm
	e.gauge("alarms_memory_used_watermark", int64(btoi(strings.Contains(alarm, "memory"))))
	e.gauge("alarms_free_disk_space_watermark", int64(btoi(strings.Contains(alarm, "disk"))))
	e.gauge("process_resident_memory_bytes", residentMemory())
	e.gauge("process_open_fds", openFiles())
	e.gauge("process_max_fds", int64(fileLimit()))
	e.gauge("disk_space_available_bytes", diskFree(c.server.broker.Config().DataDir))
	e.gauge("resident_memory_limit_bytes", totalMemory())
	e.gauge("erlang_uptime_seconds", int64(c.server.uptime().Seconds()))
}

// exposition writes metrics, and sums up those of objects unless each is asked for.
type exposition struct {
	out       chan<- prometheus.Metric
	perObject bool
	sums      map[figure]int64
}

// figure is a metric that objects have.
type figure struct {
	name string
	kind prometheus.ValueType
}

func (e exposition) gauge(name string, value int64, labels ...string) {
	e.send(figure{name, prometheus.GaugeValue}, value, labels)
}

func (e exposition) counter(name string, value int64, labels ...string) {
	e.send(figure{name, prometheus.CounterValue}, value, labels)
}

// of counts a figure of one object.
func (e exposition) of(f figure, value int64, labels ...string) {
	if e.perObject {
		e.send(f, value, labels)
		return
	}
	e.sums[f] += value
}

func (e exposition) send(f figure, value int64, labels []string) {
	var names, values []string
	for i := 0; i+1 < len(labels); i += 2 {
		names, values = append(names, labels[i]), append(values, labels[i+1])
	}
	desc := prometheus.NewDesc("rabbitmq_"+f.name, "As RabbitMQ's "+f.name+".", names, nil)
	e.out <- prometheus.MustNewConstMetric(desc, f.kind, float64(value), values...)
}

func (e exposition) vhost(v *vhost.VHost) {
	for _, q := range v.Queues() {
		labels := []string{"vhost", v.Name(), "queue", q.Name}
		for name, value := range map[string]int64{
			"queue_messages_ready":       int64(q.Ready),
			"queue_messages_unacked":     int64(q.Unacked),
			"queue_messages":             int64(q.Ready + q.Unacked),
			"queue_messages_ready_bytes": q.ReadyBytes,
			"queue_consumers":            int64(q.Consumers),
		} {
			e.of(figure{name, prometheus.GaugeValue}, value, labels...)
		}
		for name, value := range map[string]uint64{
			"queue_messages_published_total":     q.Counts.Published,
			"queue_messages_delivered_ack_total": q.Counts.Delivered,
			"queue_messages_delivered_total":     q.Counts.DeliveredNoAck,
			"queue_messages_redelivered_total":   q.Counts.Redelivered,
			"queue_messages_acked_total":         q.Counts.Acked,
			"queue_get_ack_total":                q.Counts.Got,
			"queue_get_total":                    q.Counts.GotNoAck,
		} {
			e.of(figure{name, prometheus.CounterValue}, int64(value), labels...)
		}
	}
}

func (e exposition) connection(d broker.ConnectionDetail) {
	e.of(figure{"connection_incoming_bytes_total", prometheus.CounterValue}, int64(d.Received), "connection", d.Name)
	e.of(figure{"connection_outgoing_bytes_total", prometheus.CounterValue}, int64(d.Sent), "connection", d.Name)
	e.of(figure{"connection_channels", prometheus.GaugeValue}, int64(d.Channels), "connection", d.Name)
	for _, ch := range d.ChannelList {
		name := channelName(d, ch)
		for metric, value := range map[string]int64{
			"channel_consumers":            int64(len(ch.Consumers)),
			"channel_messages_unacked":     int64(ch.Unacked),
			"channel_messages_unconfirmed": int64(ch.Unconfirm),
			"channel_prefetch":             int64(ch.Limit),
			"consumer_prefetch":            int64(ch.Prefetch),
		} {
			e.of(figure{metric, prometheus.GaugeValue}, value, "channel", name)
		}
		for metric, value := range map[string]uint64{
			"channel_messages_published_total": ch.Published,
			"channel_messages_confirmed_total": ch.Confirmed,
			"channel_messages_acked_total":     ch.Settled,
		} {
			e.of(figure{metric, prometheus.CounterValue}, int64(value), "channel", name)
		}
	}
}

// total writes the sums.
func (e exposition) total() {
	if e.perObject {
		return
	}
	for f, value := range e.sums {
		e.send(f, value, nil)
	}
}
