package model

import (
	"fmt"
	"math"
	"net"
	"slices"

	amqp "github.com/rabbitmq/amqp091-go"
)

type delivery = amqp.Delivery

// connection is one client.
type connection struct {
	number   int
	client   *amqp.Connection
	socket   net.Conn
	channels []*channel
}

// channel publishes with confirms, consumes and holds deliveries.
type channel struct {
	number     int
	connection *connection
	client     *amqp.Channel
	prefetch   int
	consumers  map[string]*consumer
	held       []held // by delivery tag
}

// held is a delivery that awaits its ack.
type held struct {
	tag      uint64
	item     *item
	queue    *queue
	consumer *consumer // nil: from basic.get
}

// consumer takes items of one queue.
type consumer struct {
	tag      string
	channel  *channel
	queue    *queue
	noAck    bool
	prefetch int // 0: no limit
	held     int
	dead     bool // its channel ends: what it is still sent goes back to the queue
}

func (c *consumer) name() string {
	if c == nil {
		return "basic.get"
	}
	return c.tag
}

func (c *consumer) credit() int {
	if c.noAck || c.prefetch == 0 {
		return math.MaxInt
	}
	return c.prefetch - c.held
}

// arrival is a delivery that a client has received.
type arrival struct {
	consumer *consumer
	delivery delivery
}

func (r *run) dial() *connection {
	r.serial++
	c := &connection{number: r.serial}
	var err error
	c.client, err = amqp.DialConfig("amqp://guest:guest@"+r.node.amqp+"/", amqp.Config{
		Dial: func(network, addr string) (net.Conn, error) {
			var err error
			c.socket, err = net.DialTimeout(network, addr, patience)
			return c.socket, err
		},
	})
	r.check(err)
	return c
}

func (r *run) open(c *connection) *channel {
	r.serial++
	ch := &channel{number: r.serial, connection: c, consumers: map[string]*consumer{}}
	var err error
	ch.client, err = c.client.Channel()
	r.check(err)
	r.check(ch.client.Confirm(false))
	c.channels = append(c.channels, ch)
	return ch
}

// sync returns once the broker has done all that the channel sent before.
func (r *run) sync(ch *channel) { r.check(ch.client.Qos(ch.prefetch, 0, false)) }

// subscribe starts a consumer and the goroutine that carries its deliveries in.
func (r *run) subscribe(ch *channel, q *queue, noAck bool) *consumer {
	r.serial++
	c := &consumer{tag: fmt.Sprintf("c%d", r.serial), channel: ch, queue: q, noAck: noAck, prefetch: ch.prefetch}
	deliveries, err := ch.client.Consume(q.name, c.tag, noAck, false, false, false, nil)
	r.check(err)
	ch.consumers[c.tag] = c
	q.consumers = append(q.consumers, c)
	r.carriers.Go(func() {
		for d := range deliveries {
			select {
			case r.inbox <- arrival{c, d}:
			case <-r.t.Context().Done():
			}
		}
	})
	return c
}

// hold notes a delivery that awaits its ack.
func (ch *channel) hold(tag uint64, i *item, q *queue, c *consumer) {
	ch.held = append(ch.held, held{tag, i, q, c})
	slices.SortFunc(ch.held, func(a, b held) int { return int(a.tag) - int(b.tag) })
	if c != nil {
		c.held++
	}
}

// release takes deliveries out of the channel's hands.
func (ch *channel) release(from, to int) []held {
	taken := slices.Clone(ch.held[from:to])
	ch.held = slices.Delete(ch.held, from, to)
	for _, h := range taken {
		if h.consumer != nil {
			h.consumer.held--
		}
	}
	return taken
}

// leave ends a consumer in the model; an auto-delete queue goes with its last.
func (r *run) leave(c *consumer) {
	delete(c.channel.consumers, c.tag)
	q := c.queue
	q.consumers = slices.DeleteFunc(q.consumers, func(o *consumer) bool { return o == c })
	if q.autoDelete && len(q.consumers) == 0 && !q.gone {
		r.removeQueue(q)
	}
}

// vanish ends channels in the model: their consumers go, what they held goes back.
func (r *run) vanish(channels ...*channel) {
	for _, ch := range channels {
		for _, c := range ch.consumers {
			c.dead = true
			r.leave(c)
		}
		ch.connection.channels = slices.DeleteFunc(ch.connection.channels, func(o *channel) bool { return o == ch })
	}
	for _, ch := range channels {
		for _, h := range ch.release(0, len(ch.held)) {
			h.item.moving = len(channels) > 1
			h.queue.putBack(h.item)
		}
	}
}
