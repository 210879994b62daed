package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// process is a program that was started, and what it wrote.
type process struct {
	*exec.Cmd
	log string
}

func start(dir, program string, args ...string) (*process, error) {
	log := filepath.Join(dir, filepath.Base(program)+".log")
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p := &process{exec.Command(program, args...), log}
	p.Stdout, p.Stderr = out, out
	if err := p.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	return p, nil
}

func (p *process) end() {
	_ = p.Process.Signal(os.Interrupt)
	done := make(chan struct{})
	go func() { _ = p.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		_ = p.Process.Kill()
		<-done
	}
}

const clockTick = 10 * time.Millisecond // USER_HZ is 100

// cpu is the time that the process has spent so far, and its children that have
// ended. The scheduler's own count by thread is exact where ticks are not: 0.04 s
// are four ticks.
func (p *process) cpu() (time.Duration, error) {
	dir := "/proc/" + strconv.Itoa(p.Process.Pid)
	threads, err := filepath.Glob(dir + "/task/*/schedstat")
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, path := range threads {
		text, err := os.ReadFile(path)
		if err != nil {
			return 0, err
		}
		ran, _, _ := strings.Cut(string(text), " ")
		ns, err := strconv.ParseInt(ran, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(ns)
	}
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	for _, f := range fields[13:15] { // cutime, cstime: proc_pid_stat(5)
		ticks, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(ticks) * clockTick
	}
	return sum, nil
}

// memory is what the process has resident, and what of it is its own alone, in KiB.
func (p *process) memory() (rss, anonymous int, err error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(p.Process.Pid) + "/status")
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		switch f[0] {
		case "VmRSS:":
			rss, err = strconv.Atoi(f[1])
		case "RssAnon:":
			anonymous, err = strconv.Atoi(f[1])
		}
		if err != nil {
			return 0, 0, err
		}
	}
	return rss, anonymous, nil
}
