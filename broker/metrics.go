package broker

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics is what the broker reports of itself.
type metrics struct {
	connections        prometheus.Gauge
	connectionsOpened  prometheus.Counter
	connectionsRefused prometheus.Counter
	connectionErrors   prometheus.Counter
	loginsRefused      prometheus.Counter
	heartbeatsMissed   prometheus.Counter
	channels           prometheus.Gauge
	blocked            prometheus.Gauge
	channelErrors      prometheus.Counter
	consumers          prometheus.Gauge

	published     prometheus.Counter
	publishedSize prometheus.Counter
	confirmed     prometheus.Counter
	refused       prometheus.Counter
	returned      prometheus.Counter
	dropped       prometheus.Counter
	delivered     prometheus.Counter
	deliveredSize prometheus.Counter
	redelivered   prometheus.Counter
	settled       prometheus.Counter
	stalls        prometheus.Counter

	repliesDropped prometheus.Counter
}

// newMetrics registers the metrics. The storage counts by itself what it loses,
// which begins before there are metrics.
func newMetrics(r prometheus.Registerer, s *storage) *metrics {
	factory := promauto.With(r)
	gauge := func(name, help string) prometheus.Gauge {
		return factory.NewGauge(prometheus.GaugeOpts{Namespace: "thump", Subsystem: "broker", Name: name, Help: help})
	}
	counter := func(name, help string) prometheus.Counter {
		return factory.NewCounter(prometheus.CounterOpts{Namespace: "thump", Subsystem: "broker", Name: name, Help: help})
	}
	factory.NewCounterFunc(prometheus.CounterOpts{
		Namespace: "thump", Subsystem: "broker", Name: "messages_unreadable_total",
		Help: "Messages dropped from a queue because the message log has lost them to damage.",
	}, func() float64 { return float64(s.unreadable.Load()) })
	return &metrics{
		connections:        gauge("connections", "Connections now, those in their handshake included."),
		connectionsOpened:  counter("connections_opened_total", "Connections that completed the handshake."),
		connectionsRefused: counter("connections_refused_total", "Connections closed at once because there were too many."),
		connectionErrors:   counter("connection_errors_total", "Connections that the broker closed with an exception."),
		loginsRefused:      counter("logins_refused_total", "Logins with a wrong name, password or origin."),
		heartbeatsMissed:   counter("heartbeats_missed_total", "Connections dropped because the client fell silent."),
		blocked:            gauge("publishers_blocked", "1 while publishers wait because memory or disk are short."),
		channels:           gauge("channels", "Channels open now."),
		channelErrors:      counter("channel_errors_total", "Channels that the broker closed with an exception."),
		consumers:          gauge("consumers", "Consumers now."),

		published:      counter("messages_published_total", "Messages received from publishers."),
		publishedSize:  counter("messages_published_bytes_total", "Bytes of the bodies of messages received."),
		confirmed:      counter("messages_confirmed_total", "Publishes confirmed to their publishers."),
		refused:        counter("messages_refused_total", "Publishes answered by basic.nack, or dropped by a full queue without confirms."),
		returned:       counter("messages_returned_total", "Mandatory messages that no queue wanted, sent back."),
		dropped:        counter("messages_unroutable_total", "Messages that no queue wanted, dropped."),
		delivered:      counter("messages_delivered_total", "Messages sent to consumers, or fetched by basic.get."),
		deliveredSize:  counter("messages_delivered_bytes_total", "Bytes of the bodies of messages delivered."),
		redelivered:    counter("messages_redelivered_total", "Deliveries that may have happened before."),
		settled:        counter("messages_settled_total", "Deliveries acknowledged, rejected or requeued by consumers."),
		repliesDropped: counter("replies_dropped_total", "Direct replies dropped because the asking client does not read."),

		stalls: counter("consumer_stalls_total", "Times that a consumer did not read fast enough and its queue waited."),
	}
}

// burstCounts gather what a connection's reader has done, so that the shared
// counters are touched once per burst.
type burstCounts struct {
	published, bytes, refused, returned, dropped, settled uint64
}

func (c *burstCounts) flush(m *metrics) {
	add(m.published, c.published)
	add(m.publishedSize, c.bytes)
	add(m.refused, c.refused)
	add(m.returned, c.returned)
	add(m.dropped, c.dropped)
	add(m.settled, c.settled)
	*c = burstCounts{}
}

// outCounts gather what was encoded since the last write.
type outCounts struct {
	delivered, bytes, redelivered, confirmed, refused, stalls uint64
}

func (c *outCounts) flush(m *metrics) {
	add(m.delivered, c.delivered)
	add(m.deliveredSize, c.bytes)
	add(m.redelivered, c.redelivered)
	add(m.confirmed, c.confirmed)
	add(m.refused, c.refused)
	add(m.stalls, c.stalls)
	*c = outCounts{}
}

func add(c prometheus.Counter, n uint64) {
	if n > 0 {
		c.Add(float64(n))
	}
}
