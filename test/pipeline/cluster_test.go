package pipeline

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"thump/internal/bus"
)

// TestNodeKilled runs the pipeline on a cluster of RabbitMQ with quorum queues
// and kills the node that it is connected to: whatever was confirmed before, at
// and after that is in history.
func TestNodeKilled(t *testing.T) {
	urls := os.Getenv("THUMP_TEST_RABBITMQ_CLUSTER")
	if urls == "" {
		t.Skip("THUMP_TEST_RABBITMQ_CLUSTER is not set; test/interop/cluster sets it")
	}
	pid, err := strconv.Atoi(os.Getenv("THUMP_TEST_RABBITMQ_PID"))
	if err != nil {
		t.Fatal("THUMP_TEST_RABBITMQ_PID: ", err)
	}
	p := up(t, t.TempDir(), "--bus", urls, "--bus-queue-type", "quorum")
	r := record(t, bus.Config{URLs: strings.Split(urls, ","), QueueType: "quorum"})
	more := func(n int, limit time.Duration, by string) {
		t.Helper()
		before := r.count()
		eventually(t, limit, fmt.Sprintf("%d batches confirmed by %s", n, by), func() error {
			if got := r.count() - before; got < n {
				return fmt.Errorf("%d confirmed", got)
			}
			return nil
		})
	}
	more(500, 60*time.Second, "three nodes") // the leaders of all queues are on the first
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	more(1, 30*time.Second, "two nodes")
	t.Logf("the pipeline goes on %v after the kill", time.Since(killed).Round(time.Millisecond))
	more(500, 60*time.Second, "two nodes")
	checkHistory(t, p, r)
	one(t, p.url(), `count_over_time(up[15s]) > 0`, 30*time.Second)
	p.stop()
}
