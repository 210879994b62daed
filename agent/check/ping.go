package check

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"thump/internal/telemetry"
)

// Ping sends ICMP echo requests. It needs no root where the kernel lets the agent's
// group ping (net.ipv4.ping_group_range on Linux); elsewhere it needs CAP_NET_RAW.
// All packets lost is critical.
type Ping struct {
	// Host to ping, a name or an address.
	Host string `yaml:"host"`
	// Count of packets, 200 ms apart; default 3, at most 20.
	Count int `yaml:"count"`
	// Loss says which ratio of lost packets is good, from 0 to 1.
	Loss Span `yaml:"loss"`

	// Latency compares the mean round trip.
	Latency `yaml:",inline"`
}

const (
	defaultPings = 3
	maxPings     = 20
	pingSpacing  = 200 * time.Millisecond
)

func (c *Ping) validate(p *problems) {
	if c.Host == "" {
		p.add("ping: host: is empty")
	}
	if c.Count < 0 || c.Count > maxPings {
		p.add("ping: count: %d, want at most %d", c.Count, maxPings)
	}
	c.Latency.validate(p, "ping")
}

func (c *Ping) open(_ *Spec, _ Env) (runner, error) {
	conn, err := listenICMP(false)
	if err != nil {
		return nil, fmt.Errorf("ping is not permitted: let the agent's group do it by net.ipv4.ping_group_range, or give it CAP_NET_RAW: %w", err)
	}
	if err := conn.Close(); err != nil {
		return nil, fmt.Errorf("close socket: %w", err)
	}
	return c, nil
}

// pinger is a socket for echo requests.
type pinger struct {
	*icmp.PacketConn
	v6, raw bool
}

// listenICMP opens an unprivileged socket, or a raw one where only that is allowed.
func listenICMP(v6 bool) (*pinger, error) {
	networks, wildcard := [2]string{"udp4", "ip4:icmp"}, "0.0.0.0"
	if v6 {
		networks, wildcard = [2]string{"udp6", "ip6:ipv6-icmp"}, "::"
	}
	var failed []error
	for i, network := range networks {
		conn, err := icmp.ListenPacket(network, wildcard)
		if err == nil {
			return &pinger{conn, v6, i == 1}, nil
		}
		failed = append(failed, err)
	}
	return nil, errors.Join(failed...)
}

// run implements runner.
func (c *Ping) run(ctx context.Context, o *output) (verdict, error) {
	addrs, err := net.DefaultResolver.LookupIPAddr(ctx, c.Host)
	if err != nil {
		return verdict{critical, err.Error()}, nil
	}
	conn, err := listenICMP(addrs[0].IP.To4() == nil)
	if err != nil {
		return verdict{}, fmt.Errorf("open socket: %w", err)
	}
	defer conn.Close() // nothing buffered to lose
	count := cmp.Or(c.Count, defaultPings)
	times, err := conn.pingAll(ctx, addrs[0], count)
	if err != nil {
		return verdict{critical, err.Error()}, nil
	}
	return c.judge(o, addrs[0].String(), times, count), nil
}

func (c *Ping) judge(o *output, address string, times []time.Duration, count int) verdict {
	loss := 1 - float64(len(times))/float64(count)
	o.put("thump_ping_loss_ratio", "Ratio of packets that were lost.", loss)
	v := verdict{ok, fmt.Sprintf("%s answers", address)}
	if len(times) == 0 {
		v.worse(critical, "%s does not answer", address)
		return v
	}
	least, most, sum := time.Duration(math.MaxInt64), time.Duration(0), time.Duration(0)
	for _, t := range times {
		least, most, sum = min(least, t), max(most, t), sum+t
	}
	mean := sum / time.Duration(len(times))
	for name, t := range map[string]time.Duration{"min": least, "max": most, "mean": mean} {
		o.put("thump_ping_rtt_seconds", "Round trip time.", t.Seconds(), telemetry.Label{Name: "statistic", Value: name})
	}
	c.Loss.judge(&v, "loss", loss)
	c.Latency.judge(&v, "round trip", mean)
	return v
}

// pingAll sends count requests and returns the round trips of those answered.
func (p *pinger) pingAll(ctx context.Context, to net.IPAddr, count int) (times []time.Duration, err error) {
	var addr net.Addr = &net.UDPAddr{IP: to.IP, Zone: to.Zone}
	if p.raw {
		addr = &to
	}
	deadline, _ := ctx.Deadline() // a check always has one
	// Some of the time is kept for the verdict.
	deadline = deadline.Add(-time.Until(deadline) / 20)
	token := uint64(time.Now().UnixNano())
	for seq := range count {
		start := time.Now()
		if err := p.send(addr, seq, token); err != nil {
			return times, err
		}
		// Each waits its share of what is left, and at least its spacing.
		share := max(time.Until(deadline)/time.Duration(count-seq), pingSpacing)
		if err := p.SetReadDeadline(start.Add(share)); err != nil {
			return times, fmt.Errorf("set deadline: %w", err)
		}
		if p.await(ctx, seq, token) {
			times = append(times, time.Since(start))
		}
		if seq+1 < count && !pause(ctx, pingSpacing-time.Since(start)) {
			break
		}
	}
	return times, nil
}

// pause waits, unless ctx ends.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// send sends one request. Its data tells the answer from that of another sender,
// whose requests a raw socket sees too.
func (p *pinger) send(to net.Addr, seq int, token uint64) error {
	var kind icmp.Type = ipv4.ICMPTypeEcho
	if p.v6 {
		kind = ipv6.ICMPTypeEchoRequest
	}
	data := binary.BigEndian.AppendUint64([]byte("thump   "), token)
	m := icmp.Message{Type: kind, Body: &icmp.Echo{ID: int(token & 0xffff), Seq: seq, Data: data}}
	b, err := m.Marshal(nil)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	if _, err := p.WriteTo(b, to); err != nil {
		return fmt.Errorf("send request: %w", err)
	}
	return nil
}

// await reads up to the answer to a request; false if there is none in time.
func (p *pinger) await(ctx context.Context, seq int, token uint64) bool {
	protocol := ipv4.ICMPTypeEcho.Protocol()
	if p.v6 {
		protocol = ipv6.ICMPTypeEchoRequest.Protocol()
	}
	buf := make([]byte, 1500)
	for ctx.Err() == nil {
		n, _, err := p.ReadFrom(buf)
		if err != nil {
			return false
		}
		m, err := icmp.ParseMessage(protocol, buf[:n])
		if err != nil || m.Type != ipv4.ICMPTypeEchoReply && m.Type != ipv6.ICMPTypeEchoReply {
			continue
		}
		echo, isEcho := m.Body.(*icmp.Echo)
		if isEcho && echo.Seq == seq && len(echo.Data) == 16 && binary.BigEndian.Uint64(echo.Data[8:]) == token {
			return true
		}
	}
	return false
}
