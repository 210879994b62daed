package management

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// nodeName is this broker's name in RabbitMQ's form.
func nodeName() string {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "localhost"
	}
	host, _, _ = strings.Cut(host, ".")
	return "thump@" + host
}

// nodeStats are what a node reports with rates.
func nodeStats() []stat {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return []stat{
		{"mem_used", residentMemory()},
		{"fd_used", openFiles()},
		{"proc_used", int64(runtime.NumGoroutine())},
		{"gc_num", int64(m.NumGC)},
		{"gc_bytes_reclaimed", int64(m.TotalAlloc - m.HeapAlloc)},
	}
}

// residentMemory is what the process occupies, bytes.
func residentMemory() int64 {
	b, err := os.ReadFile("/proc/self/statm")
	fields := bytes.Fields(b)
	if err != nil || len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(string(fields[1]), 10, 64) // the kernel's
	return pages * int64(os.Getpagesize())
}

func openFiles() int64 {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return int64(len(entries))
}

func (s *Server) nodes(c *call) (any, error) { return list(c, []object{s.thisNode()}) }

func (s *Server) oneNode(c *call) (any, error) {
	if c.part("node") != s.node {
		return nil, notFound()
	}
	return s.thisNode(), nil
}

func (s *Server) thisNode() object {
	t := newTotals(s.broker)
	cfg := s.broker.Config()
	alarm := s.broker.Snapshot().Alarm
	o := object{
		"name": s.node, "type": "disc", "running": true, "os_pid": strconv.Itoa(os.Getpid()), "uptime": s.uptime().Milliseconds(),
		"processors": runtime.NumCPU(), "run_queue": 0, "rates_mode": "basic", "net_ticktime": 60, "partitions": []any{},
		"fd_total": fileLimit(), "sockets_total": cfg.MaxConnections, "proc_total": 1 << 20,
		"mem_limit": totalMemory(), "mem_alarm": strings.Contains(alarm, "memory"), "mem_calculation_strategy": "rss",
		"disk_free": diskFree(cfg.DataDir), "disk_free_limit": 0, "disk_free_alarm": strings.Contains(alarm, "disk"),
		"sockets_used": t.connections, "db_dir": cfg.DataDir, "log_files": []string{}, "config_files": []string{},
		"enabled_plugins": []string{"rabbitmq_management", "rabbitmq_prometheus"},
		"exchange_types":  exchangeTypes(), "applications": []object{{"name": "thump", "description": "thump's broker", "version": s.version}},
		"auth_mechanisms": []object{
			{"name": "AMQPLAIN", "description": "QPid AMQPLAIN mechanism", "enabled": true},
			{"name": "PLAIN", "description": "SASL PLAIN authentication mechanism", "enabled": true},
		},
		"contexts": s.contexts(), "cluster_links": []any{}, "being_drained": false,
	}
	s.rates.put(o, keyNode, nodeStats())
	s.rates.put(o, keyChurn, t.churn)
	return o
}

func diskFree(dir string) int64 {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(filepath.Clean(dir), &fs); err != nil {
		return 0
	}
	return int64(fs.Bavail) * fs.Bsize
}

func fileLimit() uint64 {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0
	}
	return l.Cur
}

// totalMemory is that of the machine, bytes.
func totalMemory() int64 {
	var i syscall.Sysinfo_t
	if err := syscall.Sysinfo(&i); err != nil {
		return 0
	}
	return int64(i.Totalram) * int64(i.Unit)
}

func (s *Server) nodeMemory(c *call) (any, error) {
	if c.part("node") != s.node {
		return nil, notFound()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	messages := int64(0)
	for _, v := range s.broker.VHosts() {
		messages += v.State().MemoryBytes
	}
	return object{"memory": object{
		"binary": messages, "other_system": int64(m.HeapInuse) - messages, "code": int64(m.Sys - m.HeapSys),
		"allocated_unused": int64(m.HeapIdle - m.HeapReleased), "reserved_unallocated": 0, "strategy": "rss",
		"total": object{"erlang": int64(m.HeapInuse), "rss": residentMemory(), "allocated": int64(m.Sys)},
	}}, nil
}
