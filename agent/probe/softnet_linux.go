package probe

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// softnetColumns are those of /proc/net/softnet_stat that count, the kernel's
// softnet_seq_show; a line has no more columns than the kernel knows.
var softnetColumns = []struct {
	at   int
	desc *Desc
}{
	{0, counter("node_softnet_processed_total", "Packets processed.", "cpu")},
	{1, counter("node_softnet_dropped_total", "Packets dropped.", "cpu")},
	{2, counter("node_softnet_times_squeezed_total", "Times that processing ran out of its quota.", "cpu")},
	{8, counter("node_softnet_cpu_collision_total", "Collisions on obtaining a device's lock.", "cpu")},
	{9, counter("node_softnet_received_rps_total", "Times that a CPU was woken to process packets.", "cpu")},
	{10, counter("node_softnet_flow_limit_count_total", "Times that the flow limit was reached.", "cpu")},
	{11, gauge("node_softnet_backlog_len", "Packets that wait to be processed.", "cpu")},
}

// softnetCPU is the column with the number of the CPU, which older kernels lack.
const softnetCPU = 12

func (p *netstat) addSoftnet(s *Sink) error {
	row := uint64(0)
	return p.read("softnet_stat", func(line string) error {
		columns := strings.Fields(line)
		cpu := row
		row++
		if len(columns) > softnetCPU {
			n, err := strconv.ParseUint(columns[softnetCPU], 16, 32)
			if err != nil {
				return err
			}
			cpu = n
		}
		name := strconv.FormatUint(cpu, 10)
		for _, c := range softnetColumns {
			if c.at >= len(columns) {
				break
			}
			v, err := strconv.ParseUint(columns[c.at], 16, 32)
			if err != nil {
				return err
			}
			s.Add(c.desc, float64(v), name)
		}
		return nil
	})
}

var (
	arpEntries = gauge("node_arp_entries", "Neighbours known, by device.", "device")
	udpQueues  = gauge("node_udp_queues", "Bytes in the queues of UDP sockets.", "queue", "ip")
)

// addARP counts the lines of each device behind the line of names.
func (p *netstat) addARP(s *Sink) error {
	var devices []string // in the order of the file, so that the sink finds its series
	count := map[string]int{}
	err := p.read("arp", func(line string) error {
		device := line[strings.LastIndexAny(line, " \t")+1:]
		if device == "Device" {
			return nil
		}
		if count[device] == 0 {
			devices = append(devices, device)
		}
		count[device]++
		return nil
	})
	for _, d := range devices {
		s.Add(arpEntries, float64(count[d]), d)
	}
	return err
}

// addQueues sums the column tx_queue:rx_queue of the sockets.
func (p *netstat) addQueues(s *Sink, file, ip string) error {
	var tx, rx uint64
	seen := false
	err := p.read(file, func(line string) error {
		out, in, found := strings.Cut(column(line, 4), ":")
		seen = true
		if !found || strings.Contains(line, "local_address") {
			return nil
		}
		t, err := strconv.ParseUint(out, 16, 64)
		if err != nil {
			return err
		}
		r, err := strconv.ParseUint(in, 16, 64)
		tx, rx = tx+t, rx+r
		return err
	})
	if err == nil && seen {
		s.Add(udpQueues, float64(tx), "tx", ip)
		s.Add(udpQueues, float64(rx), "rx", ip)
	}
	return err
}

var (
	conntrackEntries = gauge("node_nf_conntrack_entries", "Connections tracked.")
	conntrackLimit   = gauge("node_nf_conntrack_entries_limit", "Connections that can be tracked.")
	conntrackStats   = map[string]*Desc{
		"found":          conntrackStat("found", "Searched entries that were found."),
		"invalid":        conntrackStat("invalid", "Packets that cannot be tracked."),
		"ignore":         conntrackStat("ignore", "Packets of entries that are tracked already."),
		"insert":         conntrackStat("insert", "Entries inserted."),
		"insert_failed":  conntrackStat("insert_failed", "Entries that could not be inserted."),
		"drop":           conntrackStat("drop", "Packets dropped because tracking failed."),
		"early_drop":     conntrackStat("early_drop", "Entries dropped to make room."),
		"search_restart": conntrackStat("search_restart", "Searches begun anew because the table was resized."),
	}
)

func conntrackStat(name, help string) *Desc { return gauge("node_nf_conntrack_stat_"+name, help) }

// addConntrack reads the table of tracked connections and, summed over the CPUs,
// what went on in it.
func (p *netstat) addConntrack(s *Sink) error {
	if v, ok := numberAt(filepath.Join(p.filter, "nf_conntrack_count")); ok {
		s.Add(conntrackEntries, v)
	}
	if v, ok := numberAt(filepath.Join(p.filter, "nf_conntrack_max")); ok {
		s.Add(conntrackLimit, v)
	}
	var names []string
	var sums []uint64
	err := p.read("stat/nf_conntrack", func(line string) error {
		if names == nil {
			names = strings.Fields(line)
			sums = make([]uint64, len(names))
			return nil
		}
		words := strings.Fields(line)
		if len(words) != len(names) {
			return fmt.Errorf("%d columns, want %d", len(words), len(names))
		}
		for i, w := range words {
			v, err := strconv.ParseUint(w, 16, 64)
			if err != nil {
				return err
			}
			sums[i] += v
		}
		return nil
	})
	for i, name := range names {
		if d := conntrackStats[name]; d != nil {
			s.Add(d, float64(sums[i]))
		}
	}
	return err
}
