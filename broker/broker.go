package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"thump/broker/amqp"
	"thump/internal/vfs"
)

// Deps are what the broker needs from the program it runs in.
type Deps struct {
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	Version    string // of the program, announced to clients
	FS         vfs.FS // where the message log is; nil: the operating system's files
	// Certificate is shown on the TLS listeners if no file is given; may be nil.
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
}

// Broker is an AMQP 0-9-1 server.
type Broker struct {
	// Static after construction.
	config    Config
	log       *slog.Logger
	metrics   *metrics
	version   string
	storage   *storage
	listeners []net.Listener // those for TLS last

	certificates *certificates

	logins  throttle
	serving sync.WaitGroup // connections
	replies sync.Map       // addresses of direct reply-to to their *channel
	alarm   alarm
	clock   atomic.Uint32 // in units of clockTick, since Run began

	opening sync.Mutex // held while limits are counted; taken before mu

	mu          sync.Mutex
	connections map[*connection]struct{} // guarded by mu
	ending      bool                     // guarded by mu: no connection is taken any more
}

// New opens the data folder and the listeners. What stands in the way, such as
// a port in use or a folder that another process has, is an error here.
func New(cfg Config, deps Deps) (*Broker, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	certs := &certificates{files: cfg.TLS, given: deps.Certificate}
	listeners, err := listenAll(cfg, certs)
	if err != nil {
		return nil, err
	}
	s, err := openStorage(cfg, deps)
	if err != nil {
		closeAll(listeners)
		return nil, err
	}
	b := &Broker{
		config:       cfg,
		log:          deps.Logger,
		metrics:      newMetrics(deps.Registerer, s),
		version:      deps.Version,
		storage:      s,
		listeners:    listeners,
		certificates: certs,
		connections:  make(map[*connection]struct{}),
	}
	s.defs.OnChange(b.refresh)
	return b, nil
}

// listenAll opens the listeners, those for TLS last.
func listenAll(cfg Config, certs *certificates) ([]net.Listener, error) {
	plain, err := listen("amqp", cfg.AMQP)
	if err != nil {
		return nil, err
	}
	secure, err := listenTLS(cfg, certs)
	if err != nil {
		closeAll(plain)
		return nil, err
	}
	return append(plain, secure...), nil
}

// listen opens the addresses that a flag names.
func listen(flag string, addrs []string) ([]net.Listener, error) {
	var open []net.Listener
	for _, addr := range addrs {
		l, err := net.Listen("tcp", addr)
		if errors.Is(err, syscall.EADDRINUSE) {
			err = fmt.Errorf("%s is in use by another program: end that one or choose another with --%s", addr, flag)
		} else if err != nil {
			err = fmt.Errorf("listen on %s (--%s): %w", addr, flag, err)
		}
		if err != nil {
			closeAll(open)
			return nil, err
		}
		open = append(open, l)
	}
	return open, nil
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		_ = l.Close() // nothing is lost with a listener
	}
}

// Addr returns the first address that the broker listens on.
func (b *Broker) Addr() net.Addr { return b.listeners[0].Addr() }

// Run serves until ctx ends. Then it tells every client to go, waits for them at
// most endTimeout, and closes the data folder.
func (b *Broker) Run(ctx context.Context) error {
	var accepting sync.WaitGroup
	for _, l := range b.listeners {
		b.log.Info("listening for AMQP", "addr", l.Addr())
		accepting.Go(func() { b.accept(ctx, l) })
	}
	accepting.Go(func() { b.watchAlarms(ctx) })
	accepting.Go(func() { b.watchDeliveries(ctx) })
	<-ctx.Done()
	closeAll(b.listeners)
	accepting.Wait()
	b.endConnections()
	return b.Close()
}

// Close gives up listeners and data folder of a broker that does not run. Run
// calls it at its end.
func (b *Broker) Close() error {
	closeAll(b.listeners)
	return b.storage.close()
}

// acceptPause is how long accepting rests after an error, such as no file
// descriptor being left.
const acceptPause = 100 * time.Millisecond

func (b *Broker) accept(ctx context.Context, l net.Listener) {
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			b.log.Error("cannot accept connection", "err", err)
			select {
			case <-ctx.Done():
			case <-time.After(acceptPause):
			}
			continue
		}
		b.admit(conn)
	}
}

// admit serves a new connection unless there are too many.
func (b *Broker) admit(conn net.Conn) {
	c := newConnection(b, conn)
	if !b.register(c) {
		b.metrics.connectionsRefused.Inc()
		_ = conn.Close() // nothing was said on it
		return
	}
	b.serving.Go(func() {
		defer b.deregister(c)
		c.serve()
	})
}

func (b *Broker) register(c *connection) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ending || len(b.connections) >= b.config.MaxConnections {
		return false
	}
	b.connections[c] = struct{}{}
	b.metrics.connections.Inc()
	return true
}

func (b *Broker) deregister(c *connection) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.connections, c)
	b.metrics.connections.Dec()
}

// endTimeout bounds the wait for clients when the broker ends. It leaves a slow
// disk time to sync what is left: all has to be over within 3 s.
const endTimeout = time.Second

// endConnections tells every client that the broker shuts down, and cuts those
// that have not gone in time.
func (b *Broker) endConnections() {
	for _, c := range b.refuseNew() {
		if c.opened.Load() {
			c.shutdown(amqp.ConnectionError(amqp.ConnectionForced, "broker forced connection closure with reason 'shutdown'"))
		} else {
			_ = c.conn.Close() // nothing was promised on it
		}
	}
	cut := time.AfterFunc(endTimeout, func() {
		for _, c := range b.refuseNew() {
			_ = c.conn.Close() // the reader notices
		}
	})
	defer cut.Stop()
	b.serving.Wait()
}

// refuseNew lets no further connection in and returns those that there are.
func (b *Broker) refuseNew() []*connection {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ending = true
	return slices.Collect(maps.Keys(b.connections))
}
