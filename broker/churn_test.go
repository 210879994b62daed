package broker_test

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// TestConnectionsComeAndGo opens and ends thousands of connections in every way
// there is: goroutines and file descriptors are as many as before.
func TestConnectionsComeAndGo(t *testing.T) {
	connections := 400
	if os.Getenv("THUMP_LONG_TESTS") != "" {
		connections = 10_000
	}
	s := start(t)
	queue(t, s.channel(t), "q")
	before := footprint(t)

	var coming sync.WaitGroup
	turns := make(chan int)
	for range 16 {
		coming.Go(func() {
			for i := range turns {
				if err := comeAndGo(s, i); err != nil {
					t.Errorf("connection %d: %v", i, err)
				}
			}
		})
	}
	for i := range connections {
		turns <- i
	}
	close(turns)
	coming.Wait()

	end := time.Now().Add(patience)
	for footprint(t) != before {
		if time.Now().After(end) {
			t.Fatalf("%+v, before %+v", footprint(t), before)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if got := s.metric(t, "connections"); got != 1 {
		t.Errorf("%v connections are counted, want 1", got)
	}
}

// comeAndGo connects, and ends as i says: well, by the socket alone, with a
// channel's exception, with a consumer and what it holds.
func comeAndGo(s *server, i int) error {
	conn, err := amqp.Dial(s.url())
	if err != nil {
		return err
	}
	defer conn.Close() // fails for those that are closed already
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	switch i % 4 {
	case 0:
		return conn.Close()
	case 1:
		if _, err := ch.QueueDeclarePassive("missing", false, false, false, false, nil); err == nil {
			return fmt.Errorf("a missing queue is there")
		}
	case 2:
		if _, err := ch.QueueDeclare("", false, true, true, false, nil); err != nil {
			return err
		}
		_, err = ch.Consume("q", "", false, false, false, false, nil)
	case 3:
		err = ch.Publish("", "q", true, false, amqp.Publishing{Expiration: "0"})
	}
	return err
}

type footprintOf struct{ goroutines, files int }

func footprint(t *testing.T) footprintOf {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc/self/fd here:", err)
	}
	return footprintOf{runtime.NumGoroutine(), len(files)}
}
