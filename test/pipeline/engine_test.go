package pipeline

import (
	"io"
	"net"
	"net/url"
	"os"
	"sync"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"thump/internal/telemetry"
	"thump/test/redis"
)

// engine is what carries the messages.
type engine struct {
	name string
	// start makes it ready and returns its URL; "" is the broker of thump up itself.
	start func(t *testing.T) string
}

// engines are the built-in broker, and in the long tests what may take its place.
func engines() []engine {
	all := []engine{{"built-in", func(*testing.T) string { return "" }}}
	if os.Getenv("THUMP_LONG_TESTS") != "" {
		all = append(all, engine{"Redis", func(t *testing.T) string { return redis.Start(t).URL() }})
	}
	if url := os.Getenv("THUMP_TEST_RABBITMQ"); url != "" {
		all = append(all, engine{"RabbitMQ", func(t *testing.T) string { forget(t, url); return url }})
	}
	return all
}

// forget deletes the queues that an earlier test has left on a broker, and what
// waits in them.
func forget(t *testing.T, url string) {
	t.Helper()
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range telemetry.Topology().Queues {
		if _, err := ch.QueueDelete(q.Name, false, false, false); err != nil {
			t.Fatal(err)
		}
	}
}

// onEach runs a test on each engine; url is "" for the broker of thump up.
func onEach(t *testing.T, test func(t *testing.T, url string)) {
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) { test(t, e.start(t)) })
	}
}

// upOn starts the whole pipeline on an engine.
func upOn(t *testing.T, url, data string, args ...string) *pipeline {
	t.Helper()
	if url != "" {
		args = append(args, "--bus", url)
	}
	p := up(t, data, args...)
	p.bus = url
	return p
}

// cable is a TCP proxy that can be cut.
type cable struct {
	t    *testing.T
	addr string // where it listens
	to   string

	mu    sync.Mutex
	door  net.Listener // nil while cut; guarded by mu
	conns []net.Conn   // guarded by mu
}

// newCable lays one in front of the server of a URL and returns it with the URL
// through it.
func newCable(t *testing.T, raw string) (*cable, string) {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{t: t, addr: ports(t, 1)[0], to: u.Host}
	c.mend()
	t.Cleanup(c.cut)
	u.Host = c.addr
	return c, u.String()
}

// mend listens, again after a cut.
func (c *cable) mend() {
	c.t.Helper()
	l, err := net.Listen("tcp", c.addr)
	if err != nil {
		c.t.Fatal(err)
	}
	c.mu.Lock()
	c.door = l
	c.mu.Unlock()
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", c.to)
			if err != nil {
				_ = in.Close()
				continue
			}
			c.mu.Lock()
			c.conns = append(c.conns, in, out)
			c.mu.Unlock()
			go pipe(in, out)
			go pipe(out, in)
		}
	}()
}

func pipe(from, to net.Conn) {
	_, _ = io.Copy(to, from)
	_ = to.Close()
	_ = from.Close()
}

// cut ends all connections and refuses new ones.
func (c *cable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.door != nil {
		_ = c.door.Close()
	}
	for _, conn := range c.conns {
		_ = conn.Close()
	}
	c.door, c.conns = nil, nil
}
