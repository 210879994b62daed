package pipeline

import (
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
