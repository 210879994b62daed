package pipeline

import (
	"os"
	"testing"
	"time"
)

// TestUpOnRabbitMQ runs the same pipeline with a real RabbitMQ in the built-in
// broker's place; make interop starts one.
func TestUpOnRabbitMQ(t *testing.T) {
	url := os.Getenv("THUMP_TEST_RABBITMQ")
	if url == "" {
		t.Skip("THUMP_TEST_RABBITMQ is not set; make interop sets it")
	}
	p := up(t, t.TempDir(), "--bus", url)
	one(t, p.url(), "node_load1", 10*time.Second)
	orders(t, connect(t, url), 5)
	if got := one(t, p.url(), "orders_open", 5*time.Second).number(t); got != 5 {
		t.Errorf("orders_open is %v, want 5", got)
	}
	p.stop()
}
