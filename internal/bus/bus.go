// Package bus is the only place that knows how messages travel between the
// parts of the pipeline: AMQP 0-9-1, to the built-in broker or to RabbitMQ, and
// Redis where a program names it. The interface has the nouns of AMQP, and says
// nothing of how they are kept.
package bus

import (
	"context"
	"errors"
	"time"
)

// Errors of Publish. After ErrLinkLost the message may or may not have arrived:
// publish it again with the same ID and let the subscriber drop the repetition.
var (
	ErrNotConnected = errors.New("not connected to the broker")
	ErrLinkLost     = errors.New("link to the broker lost before the confirm")
	ErrUnroutable   = errors.New("returned by the broker: no queue is bound for it")
	ErrRefused      = errors.New("refused by the broker (negative acknowledgement)")
	ErrLogin        = errors.New("the broker refuses name or password")
)

// Message is one message on the bus.
type Message struct {
	Key             string // routing key
	ContentType     string // how Body is to be read, e.g. application/json
	ContentEncoding string // compression of Body: "", snappy, gzip, zstd
	Type            string // what the message is, e.g. metrics
	ID              string // unique; repeated only by a repetition
	CorrelationID   string
	ReplyTo         string
	Time            time.Time
	Headers         map[string]string
	Body            []byte
	Transient       bool // not kept on the broker's disk
	// Expires is how long the message is worth delivering, in whole milliseconds;
	// 0: for ever. A queue drops it afterwards.
	Expires time.Duration
	// Identified has the broker vouch for who publishes: From is then, with whoever
	// receives it, the name that the sender has logged in by.
	Identified bool
	From       string
}

// Delivery is a message handed to a subscriber. Exactly one of Ack and Reject
// is called on it, or an Ack of a later delivery of the same subscription with
// multiple set covers it. After the link was lost both do nothing: the broker
// delivers again.
type Delivery struct {
	Message
	Exchange    string
	Redelivered bool

	settle settler
	tag    uint64
}

// settler is the transport's side of a delivery.
type settler interface {
	ack(tag uint64, multiple bool) error
	reject(tag uint64) error
}

// Ack says that the message is dealt with for good; with multiple also every
// earlier delivery of the subscription.
func (d *Delivery) Ack(multiple bool) error { return d.settle.ack(d.tag, multiple) }

// Reject hands the message to the queue's dead-letter queue.
func (d *Delivery) Reject() error { return d.settle.reject(d.tag) }

// Args are the arguments of an exchange, a queue or a binding.
type Args map[string]any

// Exchange takes messages and passes them on by its bindings.
type Exchange struct {
	Name string
	Kind string // fanout, direct, topic
	Args Args
}

// Queue keeps messages for its consumers. All named queues are durable.
type Queue struct {
	Name string
	Args Args
}

// Binding hands what reaches Source under Key to a queue, or to another
// exchange when ToExchange is set.
type Binding struct {
	Source      string
	Key         string
	Destination string
	ToExchange  bool
}

// Topology is what must exist on the broker before anything is published or
// consumed. It is declared anew on each connection.
type Topology struct {
	Exchanges []Exchange
	Queues    []Queue
	Bindings  []Binding
}

// Subscription says what to consume.
type Subscription struct {
	// Queue is a named queue of the topology; empty means a server-named queue
	// of our own that goes with the link: live or nothing.
	Queue string
	// Args are those of the server-named queue.
	Args Args
	// Bindings of the server-named queue; Destination is left empty.
	Bindings []Binding
	// Exclusive: nobody else may consume the named queue.
	Exclusive bool
	// NoAck: deliveries count as acknowledged when sent.
	NoAck bool
	// Prefetch bounds what is delivered and not yet acknowledged; 0 is 256.
	Prefetch int
	// Taken, if set, is called each time the subscription is taken up on a link:
	// what is published from then on, and is bound, arrives. Whoever asks by a
	// message and is answered on a server-named queue asks from then on. It must
	// not block.
	Taken func()
	// Interrupted, if set, is told each time why the subscription ended before its
	// context did; it is taken up again by itself. It must not block.
	Interrupted func(error)
}

// Bus publishes and consumes. Its methods may be called from any goroutine.
type Bus interface {
	// Run keeps the link up, with backoff and jitter, until ctx ends.
	Run(ctx context.Context) error
	// Ready waits until the link is up and the topology declared.
	Ready(ctx context.Context) error
	// Connected tells whether the link is up now.
	Connected() bool
	// Publish returns nil once the broker has confirmed the message, which for
	// a persistent one means that it is on disk in every durable queue bound.
	Publish(ctx context.Context, exchange string, m *Message) error
	// Subscribe consumes until ctx ends; then the channel is closed. A lost link
	// is taken up again by itself, and what was not acknowledged comes again.
	Subscribe(ctx context.Context, s Subscription) (<-chan *Delivery, error)
}
