package probe

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

var tcpConnections = gauge("node_tcp_connection_states", "TCP connections in a state.", "state")

// tcpStates are the kernel's, from 1 on, include/net/tcp_states.h.
var tcpStates = [...]string{
	"", "established", "syn_sent", "syn_recv", "fin_wait1", "fin_wait2", "time_wait",
	"close", "close_wait", "last_ack", "listen", "closing",
}

// tcp walks all TCP sockets and counts them by state.
type tcp struct {
	net string // folder of proc; static after construction
	buf lines  // owned by Collect
}

func newTCP(o Options) (Probe, error) { return &tcp{net: filepath.Join(o.Proc, "net")}, nil }

// Name implements Probe.
func (*tcp) Name() string { return "tcp" }

// Collect implements Probe.
func (p *tcp) Collect(_ context.Context, s *Sink) error {
	var count [len(tcpStates)]int
	var rx, tx uint64
	for _, file := range []string{"tcp", "tcp6"} {
		err := p.buf.read(filepath.Join(p.net, file), func(line string) error {
			if strings.Contains(line, "local_address") {
				return nil
			}
			state, err := strconv.ParseUint(column(line, 3), 16, 8)
			if err != nil {
				return err
			}
			if int(state) < len(tcpStates) {
				count[state]++
			}
			out, in, _ := strings.Cut(column(line, 4), ":")
			t, err := strconv.ParseUint(out, 16, 64)
			if err != nil {
				return err
			}
			r, err := strconv.ParseUint(in, 16, 64)
			tx, rx = tx+t, rx+r
			return err
		})
		if absent(err) != nil {
			return fmt.Errorf("read TCP sockets: %w", err)
		}
	}
	for i, name := range tcpStates {
		if count[i] > 0 {
			s.Add(tcpConnections, float64(count[i]), name)
		}
	}
	s.Add(tcpConnections, float64(rx), "rx_queued_bytes")
	s.Add(tcpConnections, float64(tx), "tx_queued_bytes")
	return nil
}
