package bus

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	dialTimeout = 5 * time.Second
	// heartbeat makes a half-dead link noticed within 9 s: the client gives up
	// after three half intervals without a byte.
	heartbeat = 6 * time.Second
)

// amqpLink is one AMQP connection with a channel that publishes on it. Any
// exception closes it.
type amqpLink struct {
	// Static after construction.
	broker string // the broker's URL without the password
	user   string // logged in
	conn   *amqp.Connection
	quorum bool          // queues are: none is consumed exclusively
	closed chan struct{} // the connection is gone; closed by watch

	publisher atomic.Pointer[amqpPublisher] // set by open
	blocked   atomic.Bool                   // by the broker, for want of memory or disk
	cause     atomic.Pointer[amqp.Error]    // of the end: the first that is known
	serial    atomic.Uint64                 // names messages that have no ID
}

// amqpTransport is AMQP 0-9-1, to the built-in broker or to RabbitMQ.
type amqpTransport struct{}

// Schemes implements Transport.
func (amqpTransport) Schemes() []string { return []string{"amqp", "amqps"} }

// Dial implements Transport.
func (amqpTransport) Dial(cfg Config, o Options) Dial {
	return func(ctx context.Context, url string) (Link, error) { return dialAMQP(ctx, url, &cfg, &o) }
}

func dialAMQP(ctx context.Context, rawURL string, cfg *Config, o *Options) (Link, error) {
	conn, u, err := connect(ctx, rawURL, o.Name, o.TLS)
	if err != nil {
		return nil, err
	}
	l, err := newAMQPLink(conn, &o.Topology, cfg)
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("set up %s: %w", u.Redacted(), err)
	}
	l.broker, l.user = u.Redacted(), u.User.Username()
	return l, nil
}

// connect opens a connection; name is what the broker's operator sees of it.
func connect(ctx context.Context, rawURL, name string, trust *tls.Config) (*amqp.Connection, *url.URL, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, nil, fmt.Errorf("broker URL: %w", redact(err, rawURL))
	}
	// A new Config each time: the client wipes the credentials in it once used.
	conn, err := amqp.DialConfig(rawURL, amqp.Config{
		Heartbeat:       heartbeat,
		Properties:      amqp.Table{"connection_name": name, "product": "thump"},
		Dial:            bounded(ctx),
		TLSClientConfig: trust.Clone(),
	})
	if errors.Is(err, amqp.ErrCredentials) {
		err = fmt.Errorf("%w: %w", ErrLogin, err)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("connect to %s: %w", u.Redacted(), err)
	}
	return conn, u, nil
}

// bounded bounds the handshake; the client takes the deadline away after it.
func bounded(ctx context.Context) func(network, addr string) (net.Conn, error) {
	return func(network, addr string) (net.Conn, error) {
		d := net.Dialer{Timeout: dialTimeout}
		c, err := d.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		if err := c.SetDeadline(time.Now().Add(dialTimeout)); err != nil {
			return nil, errors.Join(err, c.Close())
		}
		return c, nil
	}
}

func newAMQPLink(conn *amqp.Connection, t *Topology, cfg *Config) (*amqpLink, error) {
	ch, err := conn.Channel()
	if err != nil {
		return nil, fmt.Errorf("open channel: %w", err)
	}
	if err := ensure(ch, t, cfg); err != nil {
		return nil, err
	}
	l := &amqpLink{conn: conn, quorum: cfg.QueueType == quorum, closed: make(chan struct{})}
	if err := l.open(ch); err != nil {
		return nil, err
	}
	go l.watch(conn.NotifyBlocked(make(chan amqp.Blocking, 1)), conn.NotifyClose(make(chan *amqp.Error, 1)))
	return l, nil
}

// watch notes that the broker blocks or unblocks, and the end of the connection.
func (l *amqpLink) watch(blockings <-chan amqp.Blocking, ended <-chan *amqp.Error) {
	defer close(l.closed)
	for {
		select {
		case b, ok := <-blockings:
			if !ok {
				blockings = nil
			}
			l.blocked.Store(b.Active)
		case err := <-ended:
			l.cause.CompareAndSwap(nil, err)
			return
		}
	}
}

// open publishes on ch from now on. An exception on it ends the link.
func (l *amqpLink) open(ch *amqp.Channel) error {
	p, err := newAMQPPublisher(ch)
	if err != nil {
		return err
	}
	// Registered before anything is published: a return that nobody waits for is lost.
	returns, ended := ch.NotifyReturn(make(chan amqp.Return)), ch.NotifyClose(make(chan *amqp.Error, 1))
	go func() {
		if err := p.watch(returns, ended); err != nil {
			l.cause.CompareAndSwap(nil, err)
			l.hangUp()
		}
	}()
	l.publisher.Store(p)
	return nil
}

// renew publishes on another channel than p. What waits for a confirm on p is
// answered ErrLinkLost, and so published again.
func (l *amqpLink) renew(p *amqpPublisher) {
	if time.Since(p.opened) < renewAfter || p.retired.Swap(true) {
		return
	}
	ch, err := l.conn.Channel()
	if err == nil {
		err = l.open(ch)
	}
	if err != nil {
		l.hangUp()
		return
	}
	_ = p.ch.Close()
}

// Publish implements Link: it returns once the broker has confirmed m.
func (l *amqpLink) Publish(ctx context.Context, exchange string, m *Message) error {
	out := publishing(m)
	if m.Identified {
		out.UserId = l.user
	}
	if out.MessageId == "" {
		out.MessageId = "link-" + strconv.FormatUint(l.serial.Add(1), 10)
	}
	p := l.publisher.Load()
	err := p.publish(ctx, exchange, m.Key, out, &l.blocked)
	switch err {
	case ErrRefused:
		l.renew(p)
	case errSilent:
		go l.hangUp()
	}
	return err
}

// Consume implements Link: it hands deliveries over until the channel ends or take says no.
func (l *amqpLink) Consume(ctx context.Context, s *Subscription, take func(*Delivery) bool) error {
	ch, err := l.conn.Channel()
	if err != nil {
		return fmt.Errorf("open channel: %w", err)
	}
	defer ch.Close()
	queue, err := l.queue(ch, s)
	if err != nil {
		return err
	}
	if err := ch.Qos(s.Prefetch, 0, false); err != nil {
		return fmt.Errorf("set prefetch: %w", err)
	}
	in, err := ch.ConsumeWithContext(ctx, queue, "", s.NoAck, s.Exclusive && !l.quorum, false, false, nil)
	if err != nil {
		return fmt.Errorf("consume queue %s: %w", queue, err)
	}
	if s.Taken != nil {
		s.Taken()
	}
	for d := range in {
		if !take(fromAMQP(&d, amqpChannel{ch})) {
			return ctx.Err()
		}
	}
	return errors.New("consumer cancelled or channel closed")
}

// queue is the one to consume; a server-named one is declared and bound first.
func (l *amqpLink) queue(ch *amqp.Channel, s *Subscription) (string, error) {
	if s.Queue != "" {
		return s.Queue, nil
	}
	q, err := ch.QueueDeclare("", false, true, true, false, amqp.Table(s.Args))
	if err != nil {
		return "", fmt.Errorf("declare a queue: %w", err)
	}
	for _, b := range s.Bindings {
		if err := ch.QueueBind(q.Name, b.Key, b.Source, false, nil); err != nil {
			return "", fmt.Errorf("bind to %s: %w", b.Source, err)
		}
	}
	return q.Name, nil
}

// Peer implements Link.
func (l *amqpLink) Peer() string { return l.broker }

// Ended implements Link.
func (l *amqpLink) Ended() <-chan struct{} { return l.closed }

// Reason implements Link.
func (l *amqpLink) Reason() error {
	if err := l.cause.Load(); err != nil {
		return err
	}
	return errors.New("closed")
}

// Close implements Link: it ends the link and waits for the watcher. Consumers see their channel
// closed.
func (l *amqpLink) Close() {
	l.hangUp()
	<-l.closed
}

// hangUp ends the connection; a broker that does not answer has a second.
func (l *amqpLink) hangUp() { _ = l.conn.CloseDeadline(time.Now().Add(time.Second)) }
