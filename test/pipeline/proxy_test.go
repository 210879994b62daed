package pipeline

import (
	"net"
	"sync"
	"testing"
)

// mode is what a proxy does with the bytes.
type mode int

const (
	pass    mode = iota
	cut          // connections end, and new ones at once
	swallow      // connections stay, and nothing passes: a dead firewall on the way
)

// proxy stands between an agent and its broker.
type proxy struct {
	// Static after construction.
	target   string
	listener net.Listener
	running  sync.WaitGroup

	mu    sync.Mutex
	mode  mode              // guarded by mu
	conns map[net.Conn]bool // guarded by mu
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{target: target, listener: l, conns: map[net.Conn]bool{}}
	p.running.Go(p.accept)
	t.Cleanup(func() {
		l.Close()
		p.set(cut)
		p.running.Wait()
	})
	return p
}

func (p *proxy) url() string { return "amqp://guest:guest@" + p.listener.Addr().String() + "/" }

// set changes what happens to all connections, those that stand among them.
func (p *proxy) set(m mode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode = m
	if m == cut {
		for c := range p.conns {
			c.Close()
		}
	}
}

func (p *proxy) state() mode {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mode
}

// hold keeps a connection to be cut; false: it is cut already.
func (p *proxy) hold(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mode == cut {
		c.Close()
		return false
	}
	p.conns[c] = true
	return true
}

func (p *proxy) release(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
	c.Close()
}

func (p *proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		if p.hold(c) {
			p.running.Go(func() { p.serve(c) })
		}
	}
}

func (p *proxy) serve(client net.Conn) {
	defer p.release(client)
	server, err := net.Dial("tcp", p.target)
	if err != nil || !p.hold(server) {
		return
	}
	defer p.release(server)
	var both sync.WaitGroup
	both.Go(func() { p.copy(server, client) })
	both.Go(func() { p.copy(client, server) })
	both.Wait()
}

// copy moves bytes; what comes while they are swallowed is gone, and with it the
// use of the connection, which stays silent until it ends.
func (p *proxy) copy(to, from net.Conn) {
	defer to.Close()
	buf, lost := make([]byte, 32<<10), false
	for {
		n, err := from.Read(buf)
		lost = lost || p.state() == swallow
		if n > 0 && !lost {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
