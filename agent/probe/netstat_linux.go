package probe

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"thump/internal/telemetry"
)

// netstatWanted is node_exporter's default of --collector.netstat.fields (1.9), and
// what tells why connections are slow, break or are refused.
var netstatWanted = regexp.MustCompile(`^(.*_(InErrors|InErrs)|Ip_Forwarding|Ip(6|Ext)_(InOctets|OutOctets)|Icmp6?_(InMsgs|OutMsgs)|` +
	`TcpExt_(Listen.*|Syncookies.*|TCPSynRetrans|TCPTimeouts|TCPOFOQueue|TCPRcvQDrop)|` +
	`Tcp_(ActiveOpens|InSegs|OutSegs|OutRsts|PassiveOpens|RetransSegs|CurrEstab|MaxConn)|Udp6?_(InDatagrams|OutDatagrams|NoPorts|RcvbufErrors|SndbufErrors)|` +
	`Tcp_(AttemptFails|EstabResets)|Ip6?_(InDiscards|OutDiscards|OutNoRoutes|InHdrErrors|InAddrErrors|ReasmFails|FragFails)|Udp6?_MemErrors|` +
	`TcpExt_(TCPAbort.*|TCPBacklogDrop|TCPFastRetrans|TCPSlowStartRetrans|TCPLostRetransmit|TCPRetransFail|TCPLossProbes|TCPSpuriousRTOs|TCPSackRecovery|` +
	`TCPReqQFull.*|TCPTimeWaitOverflow|TCPMemoryPressures.*|TCP(From|To)ZeroWindowAdv|TCPZeroWindowDrop|TCPWqueueTooBig|TCPOFODrop|TCPRcvCollapsed|` +
	`PruneCalled|RcvPruned|OfoPruned|TW|DelayedACKs|DelayedACKLost|PAWSEstab|EmbryonicRsts|IPReversePathFilter|TCPKeepAlive|TCPDSACKRecv|TCPSACKReneging))$`)

var snmp6Field = regexp.MustCompile(`^(Ip6|Icmp6|Udp6|UdpLite6)(.*)$`)

// netstat reads what the network protocols count, and what their sockets hold.
type netstat struct {
	net, filter string // folders of proc; static after construction

	// Owned by Collect.
	buf     lines
	descs   map[string]*Desc // by section and field; nil: not wanted
	headers map[string][]*Desc
	section string // of the line of names before
	names   []*Desc
}

func newNetstat(o Options) (Probe, error) {
	return &netstat{
		net: filepath.Join(o.Proc, "net"), filter: filepath.Join(o.Proc, "sys", "net", "netfilter"),
		descs: map[string]*Desc{}, headers: map[string][]*Desc{},
	}, nil
}

// Name implements Probe.
func (*netstat) Name() string { return "netstat" }

// Collect implements Probe. A kernel may lack any of them.
func (p *netstat) Collect(_ context.Context, s *Sink) error {
	return errors.Join(
		p.addPairs(s, "netstat"), p.addPairs(s, "snmp"), p.addSNMP6(s),
		p.addSockstat(s, "sockstat"), p.addSockstat(s, "sockstat6"),
		p.addSoftnet(s), p.addARP(s), p.addQueues(s, "udp", "v4"), p.addQueues(s, "udp6", "v6"),
		p.addConntrack(s),
	)
}

func (p *netstat) read(file string, visit func(line string) error) error {
	if err := absent(p.buf.read(filepath.Join(p.net, file), visit)); err != nil {
		return fmt.Errorf("read network statistics: %w", err)
	}
	return nil
}

// desc is that of a statistic; nil if it is not wanted.
func (p *netstat) desc(section, field string) *Desc {
	key := section + "_" + field
	d, known := p.descs[key]
	if !known {
		if netstatWanted.MatchString(key) {
			d = NewDesc("node_netstat_"+strings.Clone(key), telemetry.Unspecified, "Statistic "+section+field+".")
		}
		p.descs[key] = d
	}
	return d
}

// addPairs reads pairs of lines, "Tcp: names…" and "Tcp: values…".
func (p *netstat) addPairs(s *Sink, file string) error {
	p.section = ""
	return p.read(file, func(line string) error {
		section, rest, found := strings.Cut(line, ":")
		if !found {
			return fmt.Errorf("line %.40q", line)
		}
		if section != p.section {
			p.section, p.names = section, p.header(section, rest)
			return nil
		}
		p.section = ""
		return p.addValues(s, rest)
	})
}

// header is what a line of names stands for: always the same, so it is read once.
func (p *netstat) header(section, line string) []*Desc {
	key := section + line
	descs := p.headers[key]
	if descs == nil {
		for _, name := range strings.Fields(line) {
			descs = append(descs, p.desc(section, name))
		}
		p.headers[key] = descs
	}
	return descs
}

func (p *netstat) addValues(s *Sink, line string) error {
	for _, d := range p.names {
		var word string
		word, line = cutWord(line)
		if d == nil {
			continue
		}
		v, err := strconv.ParseFloat(word, 64)
		if err != nil {
			return err
		}
		s.Add(d, v)
	}
	return nil
}

// addSNMP6 reads lines "Ip6InOctets value".
func (p *netstat) addSNMP6(s *Sink) error {
	return p.read("snmp6", func(line string) error {
		name, rest := cutWord(line)
		d, known := p.descs[name]
		if !known {
			if m := snmp6Field.FindStringSubmatch(name); m != nil {
				d = p.desc(m[1], m[2])
			}
			p.descs[strings.Clone(name)] = d
		}
		if d == nil {
			return nil
		}
		v, err := parseUint(rest)
		s.Add(d, float64(v))
		return err
	})
}

// addSockstat reads lines "TCP: inuse 15 mem 2".
func (p *netstat) addSockstat(s *Sink, file string) error {
	return p.read(file, func(line string) error {
		section, rest, _ := strings.Cut(line, ":")
		for {
			var name, word string
			name, rest = cutWord(rest)
			word, rest = cutWord(rest)
			if name == "" {
				return nil
			}
			v, err := strconv.ParseFloat(word, 64)
			if err != nil {
				return err
			}
			s.Add(p.sockstat(section, name), v)
			if name == "mem" { // pages
				s.Add(p.sockstat(section, "mem_bytes"), v*float64(os.Getpagesize()))
			}
		}
	})
}

func (p *netstat) sockstat(section, field string) *Desc {
	key := "sockstat_" + section + "_" + field
	d := p.descs[key]
	if d == nil {
		d = gauge("node_"+strings.Clone(key), "Number of "+section+" sockets in state "+field+".")
		p.descs[key] = d
	}
	return d
}
