package bus_test

import (
	"os"
	"testing"

	"thump/internal/bus"
)

// TestRabbitMQ runs the contract against a real RabbitMQ, whose URL is in
// THUMP_TEST_RABBITMQ; make interop starts one.
func TestRabbitMQ(t *testing.T) {
	url := os.Getenv("THUMP_TEST_RABBITMQ")
	if url == "" {
		t.Skip("THUMP_TEST_RABBITMQ is not set; make interop sets it")
	}
	contract(t, url)
}

// TestRabbitMQQuorum runs it with quorum queues.
func TestRabbitMQQuorum(t *testing.T) {
	url := os.Getenv("THUMP_TEST_RABBITMQ")
	if url == "" {
		t.Skip("THUMP_TEST_RABBITMQ is not set; make interop sets it")
	}
	contractWith(t, bus.Config{URLs: []string{url}, QueueType: "quorum"})
}
