package management

import (
	"encoding/json"
	"strconv"
	"strings"

	"thump/broker"
	"thump/broker/vhost"
)

// stat is one number that has a rate.
type stat struct {
	name  string
	value int64
}

// rate is per second; it is written with a point, as RabbitMQ's are.
type rate float64

// MarshalJSON writes 0 as 0.0.
func (r rate) MarshalJSON() ([]byte, error) {
	s := strconv.FormatFloat(float64(r), 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return []byte(s), nil
}

var _ json.Marshaler = rate(0)

// counted are the numbers that RabbitMQ calls message_stats.
func counted(c vhost.Counts) []stat {
	return []stat{
		{"ack", int64(c.Acked)},
		{"deliver", int64(c.Delivered)},
		{"deliver_get", int64(c.Delivered + c.DeliveredNoAck + c.Got + c.GotNoAck)},
		{"deliver_no_ack", int64(c.DeliveredNoAck)},
		{"get", int64(c.Got)},
		{"get_no_ack", int64(c.GotNoAck)},
		{"redeliver", int64(c.Redelivered)},
	}
}

func queueStats(q vhost.QueueState) []stat {
	return append(counted(q.Counts), stat{"publish", int64(q.Counts.Published)})
}

func exchangeStats(x vhost.ExchangeState) []stat {
	return []stat{{"publish_in", int64(x.Published)}, {"publish_out", int64(x.Routed)}}
}

// vhostStats are those of the queues, gone ones included, and what was published
// into the exchanges.
func vhostStats(s vhost.State, exchanges []vhost.ExchangeState) []stat {
	var published uint64
	for _, x := range exchanges {
		published += x.Published
	}
	return append(counted(s.Counts), stat{"publish", int64(published)}, stat{"drop_unroutable", int64(s.Unroutable)})
}

// lengths are the numbers of messages that wait.
func lengths(ready, unacked int) []stat {
	return []stat{
		{"messages", int64(ready + unacked)},
		{"messages_ready", int64(ready)},
		{"messages_unacknowledged", int64(unacked)},
	}
}

func connectionStats(c broker.ConnectionDetail) []stat {
	return []stat{{"recv_oct", int64(c.Received)}, {"send_oct", int64(c.Sent)}}
}

func channelStats(c broker.ChannelDetail) []stat {
	return []stat{
		{"ack", int64(c.Settled)},
		{"confirm", int64(c.Confirmed)},
		{"deliver_get", int64(c.Delivered)},
		{"publish", int64(c.Published)},
	}
}

// sum adds up lists of the same names.
func sum(lists ...[]stat) []stat {
	var total []stat
	for _, l := range lists {
		for i, s := range l {
			if i == len(total) {
				total = append(total, stat{name: s.name})
			}
			total[i].value += s.value
		}
	}
	return total
}

// nothing says whether all numbers are zero: RabbitMQ then leaves message_stats out.
func nothing(stats []stat) bool {
	for _, s := range stats {
		if s.value != 0 {
			return false
		}
	}
	return true
}
