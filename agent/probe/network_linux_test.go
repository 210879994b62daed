package probe

import (
	"errors"
	"testing"

	"github.com/prometheus/procfs"
)

func TestNetworkSums(t *testing.T) {
	l := link{name: "eth0", up: true, flags: 0x31043, promiscuity: 1, carrier: 1, operState: 6, mtu: 1500, index: 4, under: 4, carrierChanges: [3]uint32{7, 4, 3}}
	for i := range l.stats {
		l.stats[i] = 1 << i
	}
	p := &network{fixed: map[fixedKey]float64{}, media: map[string]medium{}, links: func() ([]link, error) { return []link{l, {name: "wg0", operState: 99}}, nil }}
	p.sysfs = files(t, map[string]string{"eth0/speed": "1000\n", "eth0/duplex": "full\n", "eth0/dev_id": "0x12\n", "eth0/name_assign_type": "4\n", "wg0/speed": "-1\n"})
	got := collectAll(t.Context(), t, p)
	for name, want := range map[string]float64{
		`node_network_receive_packets_total{device="eth0"}`:                                                1 << rxPackets,
		`node_network_transmit_packets_total{device="eth0"}`:                                               1 << txPackets,
		`node_network_receive_bytes_total{device="eth0"}`:                                                  1 << rxBytes,
		`node_network_transmit_bytes_total{device="eth0"}`:                                                 1 << txBytes,
		`node_network_receive_drop_total{device="eth0"}`:                                                   1<<rxDropped + 1<<rxMissedErrors,
		`node_network_receive_frame_total{device="eth0"}`:                                                  1<<rxLengthErrors + 1<<rxOverErrors + 1<<rxCRCErrors + 1<<rxFrameErrors,
		`node_network_transmit_carrier_total{device="eth0"}`:                                               1<<txCarrierErrors + 1<<txAbortedErrors + 1<<txWindowErrors + 1<<txHeartbeatErrors,
		`node_network_receive_nohandler_total{device="eth0"}`:                                              1 << rxNoHandler,
		`node_network_up{device="eth0"}`:                                                                   1,
		`node_network_up{device="wg0"}`:                                                                    0,
		`node_network_carrier{device="eth0"}`:                                                              1,
		`node_network_flags{device="eth0"}`:                                                                0x1103,
		`node_network_dormant{device="eth0"}`:                                                              1,
		`node_network_device_id{device="eth0"}`:                                                            18,
		`node_network_name_assign_type{device="eth0"}`:                                                     4,
		`node_network_mtu_bytes{device="eth0"}`:                                                            1500,
		`node_network_speed_bytes{device="eth0"}`:                                                          125e6,
		`node_network_carrier_changes_total{device="eth0"}`:                                                7,
		`node_network_carrier_up_changes_total{device="eth0"}`:                                             4,
		`node_network_carrier_down_changes_total{device="eth0"}`:                                           3,
		`node_network_info{address="",broadcast="",device="eth0",duplex="full",ifalias="",operstate="up"}`: 1,
		`node_network_info{address="",broadcast="",device="wg0",duplex="",ifalias="",operstate="unknown"}`: 1,
	} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s = %v (%v), want %v", name, v, ok, want)
		}
	}
	for _, name := range []string{`node_network_speed_bytes{device="wg0"}`, `node_network_carrier{device="wg0"}`} {
		if v, ok := got[name]; ok {
			t.Errorf("%s = %v, want none", name, v)
		}
	}
}

// TestNetworkAgainstProc asks this host's kernel in two ways.
func TestNetworkAgainstProc(t *testing.T) {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		t.Fatal(err)
	}
	before, err := fs.NetDev()
	if err != nil {
		t.Fatal(err)
	}
	got := collectAll(t.Context(), t, open(t, Options{})["network"])
	after, err := fs.NetDev()
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range before {
		a := after[name]
		for metric, limits := range map[string][2]uint64{
			"receive_bytes": {b.RxBytes, a.RxBytes}, "receive_packets": {b.RxPackets, a.RxPackets},
			"receive_errs": {b.RxErrors, a.RxErrors}, "receive_drop": {b.RxDropped, a.RxDropped},
			"receive_fifo": {b.RxFIFO, a.RxFIFO}, "receive_frame": {b.RxFrame, a.RxFrame},
			"receive_compressed": {b.RxCompressed, a.RxCompressed}, "receive_multicast": {b.RxMulticast, a.RxMulticast},
			"transmit_bytes": {b.TxBytes, a.TxBytes}, "transmit_packets": {b.TxPackets, a.TxPackets},
			"transmit_errs": {b.TxErrors, a.TxErrors}, "transmit_drop": {b.TxDropped, a.TxDropped},
			"transmit_fifo": {b.TxFIFO, a.TxFIFO}, "transmit_colls": {b.TxCollisions, a.TxCollisions},
			"transmit_carrier": {b.TxCarrier, a.TxCarrier}, "transmit_compressed": {b.TxCompressed, a.TxCompressed},
		} {
			series := "node_network_" + metric + `_total{device="` + name + `"}`
			if v, ok := got[series]; !ok || v < float64(limits[0]) || v > float64(limits[1]) {
				t.Errorf("%s = %v (%v), want %v", series, v, ok, limits)
			}
		}
	}
}

func TestNetworkFails(t *testing.T) {
	broken := errors.New("broken")
	p := &network{fixed: map[fixedKey]float64{}, media: map[string]medium{}, links: func() ([]link, error) { return nil, broken }}
	if err := p.Collect(t.Context(), reset(NewSink(nil))); !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
}

// FuzzParseLinks: whatever the kernel sends, the parser ends.
func FuzzParseLinks(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{36, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 4, 0, 16, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		links, err := parseLinks(b)
		if err != nil && links != nil {
			t.Error("links besides an error")
		}
	})
}
