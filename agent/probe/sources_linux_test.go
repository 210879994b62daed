package probe

import (
	"os"
	"path/filepath"
	"testing"
)

// links makes symbolic links below a folder.
func links(t *testing.T, dir string, all map[string]string) {
	t.Helper()
	for name, target := range all {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
	}
}

const stat1 = "1 (a (b) c) S 0 1 1 0 -1 4194560 1 2 3 4 100 50 0 0 20 0 7 0 9 10 11 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0\n"

func sources(t *testing.T) Options {
	o := Options{
		Proc: files(t, map[string]string{
			"pressure/cpu":                         "some avg10=91.26 avg60=77.20 avg300=49.68 total=1500000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=9\n",
			"pressure/io":                          "some avg10=0 avg60=0 avg300=0 total=250000\nfull avg10=0 avg60=0 avg300=0 total=125000\n",
			"pressure/irq":                         "full avg10=0 avg60=0 avg300=0 total=2000000\n",
			"net/snmp":                             "Ip: Forwarding DefaultTTL\nIp: 2 64\nTcp: MaxConn CurrEstab\nTcp: -1 8\n",
			"net/netstat":                          "TcpExt: SyncookiesSent ListenDrops Other\nTcpExt: 1 2 3\nIpExt: InOctets\nIpExt: 77\n",
			"net/snmp6":                            "Ip6InOctets                     \t968\nIcmp6InMsgs 3\nIp6Other 5\nUdpLite6InErrors 4\n",
			"net/sockstat":                         "sockets: used 36\nTCP: inuse 15 orphan 0 mem 2\n",
			"net/sockstat6":                        "TCP6: inuse 2\n",
			"net/softnet_stat":                     "0016ca9d 00000001 00000002 00000000 00000000 00000000 00000000 00000000 00000003 00000004 00000005 00000006 00000000\n000000ff 00000000 00000000 0 0 0 0 0 0 0 0 0 00000003\n",
			"net/arp":                              "IP address       HW type     Flags       HW address            Mask     Device\n192.0.2.1        0x1         0x2         02:fc:00:00:00:05     *        eth0\n192.0.2.2        0x1         0x2         02:fc:00:00:00:06     *        eth0\n",
			"net/udp":                              "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt\n  1: 0100007F:0035 00000000:0000 07 00000010:0000000A 00:00000000 00000000\n",
			"net/tcp":                              "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt\n   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 0\n   1: 0100007F:0016 0100007F:1234 01 00000002:00000003 00:00000000 0\n",
			"net/stat/nf_conntrack":                "entries  found insert drop\n00000001 0000000a 00000001 0\n00000001 00000002 00000001 0\n",
			"sys/net/netfilter/nf_conntrack_count": "17\n",
			"sys/net/netfilter/nf_conntrack_max":   "262144\n",
			"schedstat":                            "version 15\ntimestamp 1\ncpu0 0 0 0 0 0 0 1500000000 2500000000 7\ndomain0 3 1\n",
			"mdstat":                               "Personalities : [raid1]\nmd0 : active raid1 sdb1[1](F) sda1[0]\n      1000 blocks super 1.2 [2/1] [U_]\n\nunused devices: <none>\n",
			"1/stat":                               stat1,
			"sys/kernel/threads-max":               "1000\n",
			"sys/kernel/pid_max":                   "2000\n",
		}),
		Sys: files(t, map[string]string{
			"class/net/bonding_masters":                                     "bond0\n",
			"class/net/bond0/bonding/slaves":                                "eth0 eth1\n",
			"class/net/bond0/lower_eth0/bonding_slave/mii_status":           "up\n",
			"class/net/bond0/lower_eth1/bonding_slave/mii_status":           "down\n",
			"class/thermal/thermal_zone0/temp":                              "42500\n",
			"class/thermal/thermal_zone0/type":                              "x86_pkg_temp\n",
			"class/thermal/cooling_device1/cur_state":                       "1\n",
			"class/thermal/cooling_device1/max_state":                       "10\n",
			"class/thermal/cooling_device1/type":                            "Processor\n",
			"devices/platform/coretemp.0/hwmon/hwmon3/name":                 "coretemp\n",
			"devices/platform/coretemp.0/hwmon/hwmon3/temp1_input":          "55000\n",
			"devices/platform/coretemp.0/hwmon/hwmon3/temp1_crit_alarm":     "0\n",
			"devices/platform/coretemp.0/hwmon/hwmon3/temp1_label":          "Package id 0\n",
			"devices/platform/coretemp.0/hwmon/hwmon3/fan2_input":           "1200\n",
			"devices/platform/coretemp.0/hwmon/hwmon3/in0_max":              "1500\n",
			"devices/platform/coretemp.0/hwmon/hwmon3/power1_input":         "2500000\n",
			"devices/platform/coretemp.0/hwmon/hwmon3/uevent":               "X=1\n",
			"devices/system/edac/mc/mc0/ce_count":                           "3\n",
			"devices/system/edac/mc/mc0/ue_count":                           "4\n",
			"devices/system/edac/mc/mc0/csrow2/ce_count":                    "5\n",
			"devices/system/cpu/cpu1/cpufreq/scaling_cur_freq":              "2400000\n",
			"devices/system/clocksource/clocksource0/available_clocksource": "tsc hpet\n",
			"devices/system/clocksource/clocksource0/current_clocksource":   "tsc\n",
			"class/power_supply/AC/online":                                  "1\n",
			"class/nvme/nvme0/model":                                        "Fast\n",
			"class/dmi/id/sys_vendor":                                       "ACME\n",
			"class/dmi/id/bios_date":                                        "2026\n",
			"class/dmi/id/modalias":                                         "no\n",
		}),
		Etc: files(t, map[string]string{"os-release": "ID=debian\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12.5\"\n"}),
		Textfile: files(t, map[string]string{
			"a.prom":  "# TYPE backup_age_seconds gauge\nbackup_age_seconds{disk=\"a b\"} 12\n",
			"b.other": "not read 1 2 3\n",
		}),
	}
	links(t, o.Sys, map[string]string{
		"class/hwmon/hwmon3":                              filepath.Join(o.Sys, "devices/platform/coretemp.0/hwmon/hwmon3"),
		"devices/platform/coretemp.0/hwmon/hwmon3/device": filepath.Join(o.Sys, "devices/platform/coretemp.0"),
	})
	return o
}

func TestSources(t *testing.T) {
	probes := open(t, sources(t))
	tests := []struct {
		probe string
		count int
		want  map[string]float64
	}{
		{"pressure", 4, map[string]float64{
			"node_pressure_cpu_waiting_seconds_total": 1.5,
			"node_pressure_io_waiting_seconds_total":  0.25,
			"node_pressure_io_stalled_seconds_total":  0.125,
			"node_pressure_irq_stalled_seconds_total": 2,
		}},
		{"netstat", 9 + 6 + 14 + 1 + 2 + 5, map[string]float64{
			"node_netstat_Ip_Forwarding":                   2,
			"node_netstat_Tcp_MaxConn":                     -1,
			"node_netstat_Tcp_CurrEstab":                   8,
			"node_netstat_TcpExt_SyncookiesSent":           1,
			"node_netstat_TcpExt_ListenDrops":              2,
			"node_netstat_IpExt_InOctets":                  77,
			"node_netstat_Ip6_InOctets":                    968,
			"node_netstat_Icmp6_InMsgs":                    3,
			"node_netstat_UdpLite6_InErrors":               4,
			"node_sockstat_sockets_used":                   36,
			"node_sockstat_TCP_mem":                        2,
			"node_sockstat_TCP_mem_bytes":                  2 * float64(os.Getpagesize()),
			"node_sockstat_TCP6_inuse":                     2,
			`node_softnet_processed_total{cpu="0"}`:        0x16ca9d,
			`node_softnet_dropped_total{cpu="0"}`:          1,
			`node_softnet_times_squeezed_total{cpu="0"}`:   2,
			`node_softnet_flow_limit_count_total{cpu="0"}`: 5,
			`node_softnet_backlog_len{cpu="0"}`:            6,
			`node_softnet_processed_total{cpu="3"}`:        255,
			`node_arp_entries{device="eth0"}`:              2,
			`node_udp_queues{ip="v4",queue="tx"}`:          16,
			`node_udp_queues{ip="v4",queue="rx"}`:          10,
			"node_nf_conntrack_entries":                    17,
			"node_nf_conntrack_entries_limit":              262144,
			"node_nf_conntrack_stat_found":                 12,
		}},
		{"system", 9, map[string]float64{
			`node_os_version{id="debian",id_like="",name="Debian GNU/Linux"}`: 12.5,
			"node_selinux_enabled": 0,
			`node_time_clocksource_available_info{clocksource="hpet",device="0"}`: 1,
			`node_time_clocksource_current_info{clocksource="tsc",device="0"}`:    1,
			`node_schedstat_running_seconds_total{cpu="0"}`:                       1.5,
			`node_schedstat_waiting_seconds_total{cpu="0"}`:                       2.5,
			`node_schedstat_timeslices_total{cpu="0"}`:                            7,
		}},
		{"raid", 12 + 2, map[string]float64{
			`node_md_disks{device="md0",state="active"}`: 1,
			`node_md_disks{device="md0",state="failed"}`: 1,
			`node_md_disks_required{device="md0"}`:       2,
			`node_md_state{device="md0",state="active"}`: 1,
			`node_md_state{device="md0",state="resync"}`: 0,
			`node_bonding_slaves{master="bond0"}`:        2,
			`node_bonding_active{master="bond0"}`:        1,
		}},
		{"hardware", 17, map[string]float64{
			`node_thermal_zone_temp{type="x86_pkg_temp",zone="0"}`:                                    42.5,
			`node_cooling_device_max_state{name="1",type="Processor"}`:                                10,
			`node_hwmon_chip_names{chip="platform_coretemp_0",chip_name="coretemp"}`:                  1,
			`node_hwmon_temp_celsius{chip="platform_coretemp_0",sensor="temp1"}`:                      55,
			`node_hwmon_temp_crit_alarm_celsius{chip="platform_coretemp_0",sensor="temp1"}`:           0,
			`node_hwmon_sensor_label{chip="platform_coretemp_0",label="Package id 0",sensor="temp1"}`: 1,
			`node_hwmon_fan_rpm{chip="platform_coretemp_0",sensor="fan2"}`:                            1200,
			`node_hwmon_in_max_volts{chip="platform_coretemp_0",sensor="in0"}`:                        1.5,
			`node_hwmon_power_watt{chip="platform_coretemp_0",sensor="power1"}`:                       2.5,
			`node_edac_correctable_errors_total{controller="0"}`:                                      3,
			`node_edac_csrow_correctable_errors_total{controller="0",csrow="2"}`:                      5,
			`node_cpu_scaling_frequency_hertz{cpu="1"}`:                                               2.4e9,
			`node_power_supply_online{power_supply="AC"}`:                                             1,
			`node_nvme_info{device="nvme0",firmware_revision="",model="Fast",serial="",state=""}`:     1,
			`node_dmi_info{bios_date="2026",system_vendor="ACME"}`:                                    1,
		}},
		{"textfile", 3, map[string]float64{`backup_age_seconds{disk="a b"}`: 12, "node_textfile_scrape_error": 0}},
		{"tcp", 4, map[string]float64{
			`node_tcp_connection_states{state="listen"}`:          1,
			`node_tcp_connection_states{state="established"}`:     1,
			`node_tcp_connection_states{state="tx_queued_bytes"}`: 2,
			`node_tcp_connection_states{state="rx_queued_bytes"}`: 3,
		}},
		{"processes", 5, map[string]float64{
			`node_processes_state{state="S"}`: 1, "node_processes_pids": 1, "node_processes_threads": 7,
			"node_processes_max_threads": 1000, "node_processes_max_processes": 2000,
		}},
		{"top", 1, map[string]float64{`thump_top_resident_memory_bytes{program="a (b) c"}`: 11 * float64(os.Getpagesize())}},
	}
	for _, tt := range tests {
		t.Run(tt.probe, func(t *testing.T) {
			got := collectAll(t.Context(), t, probes[tt.probe])
			if len(got) != tt.count {
				t.Errorf("%d series, want %d: %v", len(got), tt.count, got)
			}
			for name, want := range tt.want {
				if v, ok := got[name]; !ok || v != want {
					t.Errorf("%s = %v (%v), want %v", name, v, ok, want)
				}
			}
		})
	}
}

// TestNothingThere: a host without any of it has an empty run, not a failed one.
func TestNothingThere(t *testing.T) {
	dir := t.TempDir()
	probes := open(t, Options{Proc: dir, Sys: dir, Etc: dir, Udev: dir, Textfile: dir})
	for _, name := range []string{"pressure", "netstat", "system", "raid", "hardware", "textfile", "tcp", "users"} {
		collectAll(t.Context(), t, probes[name])
	}
}

// TestTextfileMistakes: a bad file is told, and the good ones still count.
func TestTextfileMistakes(t *testing.T) {
	o := Options{Textfile: files(t, map[string]string{
		"a.prom": "a 1\nbroken\n", "b.prom": "b 2\nb 3\n", "c.prom": "c 4\n",
	})}
	s := reset(NewSink(nil))
	if err := open(t, o)["textfile"].Collect(t.Context(), s); err == nil {
		t.Error("no error")
	}
	got := values(s)
	if got["a"] != 1 || got["b"] != 2 || got["c"] != 4 || got["node_textfile_scrape_error"] != 1 || len(got) != 5 {
		t.Errorf("got %v", got)
	}
}

// TestTopCPU: what a program used since the last run, whichever process it was.
func TestTopCPU(t *testing.T) {
	p := open(t, Options{})["top"]
	collectAll(t.Context(), t, p)
	for name, v := range collectAll(t.Context(), t, p) {
		if metric(name) == "thump_top_cpu_ratio" && (v <= 0 || v > 1000) {
			t.Errorf("%s = %v", name, v)
		}
	}
}

func TestExpensive(t *testing.T) {
	for name, want := range map[string]bool{"cpu": false, "netstat": false, "tcp": true, "processes": true, "top": true, "none": false} {
		if Expensive(name) != want {
			t.Errorf("probe %s: expensive %v", name, !want)
		}
	}
}
