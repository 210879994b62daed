package probe

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// files writes a folder of files.
func files(t *testing.T, content map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range content {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const mountinfo = `22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/mapper/vg-root rw,errors=remount-ro
23 22 0:20 / /proc rw - proc proc rw
24 22 0:21 / /dev/shm rw - tmpfs tmpfs rw
25 22 8:2 / /data\040disk ro,relatime - xfs /dev/sdb1 rw
26 22 0:30 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw
27 22 8:3 / /mnt/backup rw master:2 - ext4 /dev/sdc1 ro
28 22 8:3 / /mnt/backup rw - ext4 /dev/sdc1 ro
29 22 0:31 / /run rw - tmpfs tmpfs rw
`

func fixtures(t *testing.T) Options {
	return Options{Sys: t.TempDir(), Proc: files(t, map[string]string{
		"meminfo":                         "MemTotal:       24684096 kB\nActive(anon):      100 kB\nHugePages_Total:       3\nDirectMap1G:    8388608 kB\n\n",
		"vmstat":                          "nr_free_pages 5\npgpgin 6\npgpgout 7\npswpin 8\npswpout 9\npgfault 10\npgmajfault 11\noom_kill 12\nallocstall_dma 13\n",
		"loadavg":                         "0.52 1.25 10.75 2/345 6789\n",
		"stat":                            "cpu  30 0 0 0 0 0 0 0 0 0\ncpu0 1000 200 300 4000 50 6 7 8 90 10\ncpu1 1 2 3 4 5 6 7 8 9 10\nintr 123456 1 2 3\nctxt 777\nbtime 1700000000\nprocesses 888\nprocs_running 3\nprocs_blocked 4\nsoftirq 95 0 10 0 0 0 0 0 0 80 5\n",
		"diskstats":                       "   8       0 sda 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26\n   8       1 sda1 1 1 1 1 1 1 1 1 1 1 1\n   7       0 loop0 1 1 1 1 1 1 1 1 1 1 1\n 253       0 dm-0 1000 2 3 4 5 6 7 8 9 10 11\n",
		"1/mountinfo":                     mountinfo,
		"sys/fs/file-nr":                  "657\t0\t2466193\n",
		"sys/kernel/random/entropy_avail": "256\n",
		"sys/kernel/random/poolsize":      "4096\n",
	})}
}

// TestFixtures reads files whose content is known.
func TestFixtures(t *testing.T) {
	probes := open(t, fixtures(t))
	tests := []struct {
		probe string
		count int // of series, without those of Measure; 0: depends on the kernel
		want  map[string]float64
	}{
		{"memory", 12, map[string]float64{
			"node_memory_MemTotal_bytes":    24684096 * 1024,
			"node_memory_Active_anon_bytes": 100 * 1024,
			"node_memory_HugePages_Total":   3,
			"node_memory_DirectMap1G_bytes": 8388608 * 1024,
			"node_vmstat_pgpgin":            6,
			"node_vmstat_pgpgout":           7,
			"node_vmstat_pswpin":            8,
			"node_vmstat_pswpout":           9,
			"node_vmstat_pgfault":           10,
			"node_vmstat_pgmajfault":        11,
			"node_vmstat_oom_kill":          12,
			"node_vmstat_allocstall_dma":    13,
		}},
		{"load", 3, map[string]float64{"node_load1": 0.52, "node_load5": 1.25, "node_load15": 10.75}},
		{"cpu", 20, map[string]float64{
			`node_cpu_seconds_total{cpu="0",mode="user"}`:       10,
			`node_cpu_seconds_total{cpu="0",mode="nice"}`:       2,
			`node_cpu_seconds_total{cpu="0",mode="system"}`:     3,
			`node_cpu_seconds_total{cpu="0",mode="idle"}`:       40,
			`node_cpu_seconds_total{cpu="0",mode="iowait"}`:     0.5,
			`node_cpu_seconds_total{cpu="0",mode="irq"}`:        0.06,
			`node_cpu_seconds_total{cpu="0",mode="softirq"}`:    0.07,
			`node_cpu_seconds_total{cpu="0",mode="steal"}`:      0.08,
			`node_cpu_guest_seconds_total{cpu="0",mode="user"}`: 0.9,
			`node_cpu_guest_seconds_total{cpu="0",mode="nice"}`: 0.1,
			`node_cpu_seconds_total{cpu="1",mode="idle"}`:       0.04,
		}},
		{"disk", 18 + 12, map[string]float64{
			`node_disk_reads_completed_total{device="sda"}`:             10,
			`node_disk_reads_merged_total{device="sda"}`:                11,
			`node_disk_read_bytes_total{device="sda"}`:                  12 * 512,
			`node_disk_read_time_seconds_total{device="sda"}`:           0.013,
			`node_disk_writes_completed_total{device="sda"}`:            14,
			`node_disk_writes_merged_total{device="sda"}`:               15,
			`node_disk_written_bytes_total{device="sda"}`:               16 * 512,
			`node_disk_write_time_seconds_total{device="sda"}`:          0.017,
			`node_disk_io_now{device="sda"}`:                            18,
			`node_disk_io_time_seconds_total{device="sda"}`:             0.019,
			`node_disk_io_time_weighted_seconds_total{device="sda"}`:    0.020,
			`node_disk_discards_completed_total{device="sda"}`:          21,
			`node_disk_discards_merged_total{device="sda"}`:             22,
			`node_disk_discarded_sectors_total{device="sda"}`:           23,
			`node_disk_discard_time_seconds_total{device="sda"}`:        0.024,
			`node_disk_flush_requests_total{device="sda"}`:              25,
			`node_disk_flush_requests_time_seconds_total{device="sda"}`: 0.026,
			`node_disk_reads_completed_total{device="dm-0"}`:            1000,
			`node_disk_io_time_weighted_seconds_total{device="dm-0"}`:   0.011,
		}},
		{"host", 0, map[string]float64{
			"node_boot_time_seconds":              1700000000,
			"node_procs_running":                  3,
			"node_procs_blocked":                  4,
			`node_softirqs_total{vector="timer"}`: 10,
			`node_softirqs_total{vector="rcu"}`:   5,
			"node_forks_total":                    888,
			"node_context_switches_total":         777,
			"node_intr_total":                     123456,
			"node_filefd_allocated":               657,
			"node_filefd_maximum":                 2466193,
			"node_entropy_available_bits":         256,
			"node_entropy_pool_size_bits":         4096,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.probe, func(t *testing.T) {
			s := NewSink(nil)
			if err := probes[tt.probe].Collect(t.Context(), reset(s)); err != nil {
				t.Fatal(err)
			}
			got := values(s)
			if tt.count != 0 && len(s.Series()) != tt.count {
				t.Errorf("%d series, want %d: %v", len(s.Series()), tt.count, got)
			}
			for name, want := range tt.want {
				if v, ok := got[name]; !ok || v != want {
					t.Errorf("%s = %v (%v), want %v", name, v, ok, want)
				}
			}
		})
	}
}

func reset(s *Sink) *Sink {
	s.Reset(time.UnixMilli(1))
	return s
}

func open(t *testing.T, o Options) map[string]Probe {
	t.Helper()
	probes, err := All(o)
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]Probe{}
	for _, p := range probes {
		byName[p.Name()] = p
	}
	for _, name := range Names() {
		if byName[name] == nil {
			t.Fatalf("no probe %q", name)
		}
	}
	return byName
}

// TestMissingFiles: a file that is not there fails its probe, which is all.
func TestMissingFiles(t *testing.T) {
	probes := open(t, Options{Proc: t.TempDir(), Sys: t.TempDir()})
	for _, name := range []string{"cpu", "memory", "filesystem", "disk", "host"} {
		if err := probes[name].Collect(t.Context(), reset(NewSink(nil))); err == nil {
			t.Errorf("probe %s: no error", name)
		}
	}
	if _, err := All(Options{Proc: "/does/not/exist"}); err == nil {
		t.Error("All without proc: no error")
	}
}

// TestCPUDoesNotFall: idle and iowait fall a little now and then, what is published does not.
func TestCPUDoesNotFall(t *testing.T) {
	dir := t.TempDir()
	p := open(t, Options{Proc: dir, Sys: dir})["cpu"]
	s := NewSink(nil)
	for _, step := range []struct {
		idle string
		want float64
	}{{"4000", 40}, {"3990", 40}, {"4010", 40.1}, {"3900", 40.1}, {"100", 1}, {"200", 2}} {
		if err := os.WriteFile(filepath.Join(dir, "stat"), []byte("cpu  0 0 0 0 0 0 0 0 0 0\ncpu0 0 0 0 "+step.idle+" 0 0 0 0 0 0\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := p.Collect(t.Context(), reset(s)); err != nil {
			t.Fatal(err)
		}
		if got := values(s)[`node_cpu_seconds_total{cpu="0",mode="idle"}`]; got != step.want {
			t.Errorf("idle %s: published %v, want %v", step.idle, got, step.want)
		}
	}
}

func collectAll(ctx context.Context, t *testing.T, p Probe) map[string]float64 {
	t.Helper()
	s := NewSink(nil)
	if err := p.Collect(ctx, reset(s)); err != nil {
		t.Fatal(err)
	}
	return values(s)
}
