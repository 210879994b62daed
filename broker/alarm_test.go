package broker_test

import (
	"fmt"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"thump/broker"
	"thump/internal/vfs/faulty"
)

func TestMemoryWatermarkBlocksPublishers(t *testing.T) {
	s := start(t, func(c *broker.Config) { c.MemoryWatermark = 100 << 10 })
	publisher, consumer := s.dial(t), s.dial(t)
	blocked := publisher.NotifyBlocked(make(chan amqp.Blocking, 10))
	other := consumer.NotifyBlocked(make(chan amqp.Blocking, 10))
	ch := open(t, publisher)
	queue(t, ch, "q")
	publish(t, ch, "", "q", strings.Repeat("x", 200<<10))
	if b := receive(t, blocked); !b.Active || b.Reason != "low on memory" {
		t.Errorf("got %+v", b)
	}
	publish(t, ch, "", "q", "waits at the socket")
	if got := s.Snapshot(); got.Alarm != "low on memory" {
		t.Errorf("alarm %q", got.Alarm)
	}
	from := open(t, consumer) // who does not publish goes on
	if q := queue(t, from, "q"); q.Messages != 1 {
		t.Errorf("%d messages, want 1", q.Messages)
	}
	_, err := from.QueuePurge("q", false)
	must(t, err)
	if b := receive(t, blocked); b.Active {
		t.Errorf("got %+v", b)
	}
	eventually(t, "the other message is there", func() bool { return queue(t, from, "q").Messages == 1 })
	nothing(t, other)
}

func TestBlockedPublisherCanBeSentAway(t *testing.T) {
	s := start(t, func(c *broker.Config) { c.MemoryWatermark = 1 })
	conn := s.dial(t)
	blocked := conn.NotifyBlocked(make(chan amqp.Blocking, 10))
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	ch := open(t, conn)
	queue(t, ch, "q")
	publish(t, ch, "", "q", "x")
	receive(t, blocked)
	s.CloseConnection(s.Snapshot().Connections[0].Name, "go")
	wantException(t, receive(t, closed), 320, "go")
	eventually(t, "it is gone", func() bool { return len(s.Snapshot().Connections) == 0 })
}

// TestFullDiskBlocksPublishers fills the disk under a publisher that has every
// message confirmed, makes space, and looks for each of them.
func TestFullDiskBlocksPublishers(t *testing.T) {
	disk := faulty.New()
	s := startOn(t, disk, t.TempDir())
	defer s.stop() // its error is the test's
	conn := s.dial(t)
	blocked := conn.NotifyBlocked(make(chan amqp.Blocking, 10))
	ch := open(t, conn)
	must(t, ch.Confirm(false))
	durableQueue(t, ch, "q")
	disk.SetCapacity(200_000)
	var confirms []*amqp.DeferredConfirmation
	for i := range 40 {
		m := message(i)
		m.Body = make([]byte, 10_000)
		c, err := ch.PublishWithDeferredConfirm("", "q", false, false, m)
		must(t, err)
		confirms = append(confirms, c)
	}
	if b := receive(t, blocked); !b.Active || b.Reason != "low on disk" {
		t.Fatalf("got %+v", b)
	}
	disk.SetCapacity(10_000_000)
	if b := receive(t, blocked); b.Active {
		t.Errorf("got %+v", b)
	}
	for i, c := range confirms {
		if !c.Wait() {
			t.Errorf("message %d is refused", i)
		}
	}
	ids := drain(t, s, "q")
	if len(ids) != len(confirms) {
		t.Errorf("%d messages of %d", len(ids), len(confirms))
	}
	for i, id := range ids {
		if want := fmt.Sprint(message(i).MessageId); id != want {
			t.Fatalf("message %d is %s, want %s", i, id, want)
		}
	}
}
