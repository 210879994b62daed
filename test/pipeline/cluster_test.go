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
	more := func(what string) {
		before := r.count()
		eventually(t, 60*time.Second, what, func() error {
			if n := r.count() - before; n < 500 {
				return fmt.Errorf("%d confirmed", n)
			}
			return nil
		})
	}
	more("500 batches confirmed by three nodes")
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	more("500 batches confirmed by two nodes")
	t.Logf("500 more are confirmed %v after the kill", time.Since(killed).Round(time.Millisecond))
	checkHistory(t, p, r)
	one(t, p.url(), `count_over_time(up[15s]) > 0`, 30*time.Second)
	p.stop()
}
