//go:build linux

package collector_test

import (
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"thump/internal/bus"
)

// TestDiskFull lets every write fail for a while, as on a full disk. Nothing is
// acknowledged or rejected meanwhile, and nothing is missing or there twice
// afterwards.
func TestDiskFull(t *testing.T) {
	if !inChild(t) {
		return
	}
	m := newMemoryBus()
	c, reg, dir := start(t, m)
	m.publishAll([]*bus.Message{sample(0, now, 1)})
	m.waitAcked(t, 1)

	signal.Ignore(syscall.SIGXFSZ)
	var unlimited unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &unlimited); err != nil {
		t.Fatal(err)
	}
	lift := func() {
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unlimited); err != nil {
			t.Error(err)
		}
	}
	defer lift()
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 1, Max: unlimited.Max}); err != nil {
		t.Fatal(err)
	}
	const n = 1000
	for i := 1; i < n; i++ {
		m.publishAll([]*bus.Message{sample(i, now.Add(time.Duration(i-n)*time.Second), 1)})
	}
	until(t, func() bool { return metric(t, reg, "thump_collector_storage_failures_total") >= 1 })
	if acked, rejected, _ := m.counts(); acked != 1 || rejected != 0 {
		t.Errorf("%d acknowledged, %d rejected on a full disk", acked, rejected)
	}
	expect(t, c, "m", "1") // queries go on

	lift()
	m.waitAcked(t, n)
	expect(t, c, "count_over_time(m[1h])", strconv.Itoa(n))
	killed := reopened(t, dir, newMemoryBus())
	expect(t, killed, "count_over_time(m[1h])", strconv.Itoa(n))
}

// inChild runs the test alone in a process of its own, whose limits it may
// change; it tells whether this is that process.
func inChild(t *testing.T) bool {
	t.Helper()
	const variable = "THUMP_TEST_CHILD"
	if os.Getenv(variable) == t.Name() {
		return true
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, "-test.run=^"+t.Name()+"$", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), variable+"="+t.Name())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}
