package pipeline

import (
	"bufio"
	"context"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	"thump/test/redis"
)

// TestUpOnRedis runs the pipeline on a Redis; the long tests do more with it.
func TestUpOnRedis(t *testing.T) {
	p := upOn(t, redis.Start(t).URL(), t.TempDir())
	one(t, p.url(), "node_load1", 10*time.Second)
	orders(t, connect(t, p.busURL()), 5)
	if got := one(t, p.url(), "orders_open", 5*time.Second).number(t); got != 5 {
		t.Errorf("orders_open is %v, want 5", got)
	}
	p.stop()
}

// TestRedisCLI shows what passes to redis-cli, and takes in what it publishes,
// once although two processes listen.
func TestRedisCLI(t *testing.T) {
	s := redis.Start(t)
	p := upOn(t, s.URL(), t.TempDir())
	launch(t, "thump", "alerting", "--data-dir", t.TempDir(), "--bus", s.URL(), "--http", ports(t, 1)[0])
	one(t, p.url(), "node_load1", 20*time.Second)

	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	cli := tool(t, "redis-cli")
	listen := exec.CommandContext(ctx, cli, "-p", s.Port(), "PSUBSCRIBE", "thump.metrics.*")
	out, err := listen.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := listen.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cancel(); _ = listen.Wait() }()
	heard := bufio.NewScanner(out)
	heard.Buffer(nil, 16<<20)
	var batch struct {
		Key     string
		Metrics []struct {
			Name  string
			Value any
		}
	}
	for batch.Key == "" && heard.Scan() {
		if strings.HasPrefix(heard.Text(), "{") {
			if err := json.Unmarshal(heard.Bytes(), &batch); err != nil {
				t.Fatalf("%v: %s", err, heard.Text())
			}
		}
	}
	if len(batch.Metrics) == 0 || batch.Metrics[0].Name == "" {
		t.Fatalf("redis-cli was shown %+v", batch)
	}

	const metric = `{"name":"orders_total","labels":{"shop":"9"},"value":42}`
	if out, err := exec.CommandContext(ctx, cli, "-p", s.Port(), "PUBLISH", "thump.metrics.web.web01.orders", metric).CombinedOutput(); err != nil {
		t.Fatalf("PUBLISH: %v: %s", err, out)
	}
	if got := one(t, p.url(), `orders_total{shop="9"}`, 10*time.Second).number(t); got != 42 {
		t.Errorf("orders_total is %v, want 42", got)
	}
	// It is said once: neither taken twice nor shown again.
	deadline := time.AfterFunc(4*time.Second, cancel)
	defer deadline.Stop()
	times := 0
	for heard.Scan() {
		if strings.Contains(heard.Text(), "orders_total") {
			times++
		}
	}
	if got := one(t, p.url(), `count_over_time(orders_total{shop="9"}[1m])`, 10*time.Second).number(t); got != 1 || times != 1 {
		t.Errorf("it is in history %v times and was heard %d times, want once", got, times)
	}
	p.stop()
}
