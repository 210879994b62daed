// Package redis runs Debian's redis-server for tests, which may kill it.
package redis

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"
)

// Server is a redis-server with an append-only file, on a port of its own.
type Server struct {
	t    *testing.T
	dir  string
	port string
	more []string
	cmd  *exec.Cmd
	log  *bytes.Buffer
}

// Start starts one that ends with the test; more are options of redis-server. A
// test skips where there is no redis-server, and fails where CI is set.
func Start(t *testing.T, more ...string) *Server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("redis-server is missing: apt-get install redis-server")
		}
		t.Skip("redis-server is missing")
	}
	s := &Server{t: t, dir: t.TempDir(), port: port(t), more: more}
	s.Restart()
	t.Cleanup(s.Kill)
	return s
}

// port is one on which nobody listens.
func port(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, p, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Addr is host:port.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", s.port) }

// URL is what --bus takes.
func (s *Server) URL() string { return "redis://" + s.Addr() + "/0" }

// Port is its TCP port.
func (s *Server) Port() string { return s.port }

// Restart runs it, again after a Kill, on the same data, and waits until it
// answers.
func (s *Server) Restart() {
	s.t.Helper()
	args := append([]string{"--bind", "127.0.0.1", "--port", s.port, "--dir", s.dir, "--save", "", "--appendonly", "yes"}, s.more...)
	s.log = &bytes.Buffer{}
	s.cmd = exec.Command("redis-server", args...)
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.DialTimeout("tcp", s.Addr(), time.Second)
		if err == nil {
			_ = c.Close()
			return
		}
		if time.Now().After(deadline) {
			s.Kill()
			s.t.Fatalf("redis-server does not answer: %v\n%s", err, s.log)
		}
	}
}

// Kill ends it as a power cut would, as far as it can tell.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	s.cmd = nil
}
