package bus_test

import (
	"os"
	"testing"

	"thump/test/redis"
)

// TestRedis runs the contract against a real Redis: the one of THUMP_TEST_REDIS,
// or else one of its own.
func TestRedis(t *testing.T) {
	url := os.Getenv("THUMP_TEST_REDIS")
	if url == "" {
		url = redis.Start(t).URL()
	}
	contract(t, url)
}
