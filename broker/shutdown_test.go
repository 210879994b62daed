package broker_test

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"thump/broker"
	"thump/broker/amqp"
	"thump/broker/vhost"
)

// TestShutdownWithPeersThatNeverRead floods consumers that read nothing and
// answer nothing: the broker still ends in time.
func TestShutdownWithPeersThatNeverRead(t *testing.T) {
	s := startOn(t, nil, t.TempDir(), func(c *broker.Config) { c.OutboundHighWater = 16 << 10 })
	publisher := s.channel(t)
	must(t, publisher.ExchangeDeclare("out", "fanout", false, false, false, false, nil))
	for i := range 100 {
		p := s.peer(t).login()
		must(t, p.conn.(*net.TCPConn).SetReadBuffer(4<<10)) // little is in flight
		q := fmt.Sprint("q", i)
		p.send(1, &amqp.QueueDeclare{Queue: q})
		wait[*amqp.QueueDeclareOk](p)
		p.send(1, &amqp.QueueBind{Queue: q, Exchange: "out"})
		wait[*amqp.QueueBindOk](p)
		p.send(1, &amqp.BasicConsume{Queue: q, ConsumerTag: "c", NoAck: true})
		wait[*amqp.BasicConsumeOk](p)
	}
	body := strings.Repeat("x", 128<<10)
	for deadline := time.Now().Add(patience); !allHoldBack(s); {
		if time.Now().After(deadline) {
			t.Fatal("not every queue holds something back")
		}
		publish(t, publisher, "out", "", body)
	}
	began := time.Now()
	must(t, s.stop())
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("shutdown took %s", took)
	}
}

// allHoldBack reports whether no consumer takes all that its queue has.
func allHoldBack(s *server) bool {
	return !slices.ContainsFunc(s.Snapshot().VHosts[0].QueueList, func(q vhost.QueueState) bool { return q.Ready == 0 })
}
