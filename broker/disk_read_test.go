package broker_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"thump/broker"
	"thump/broker/vhost"
	"thump/internal/vfs/faulty"
)

// cold keeps the first message in memory: the others that wait are read from disk.
func cold(c *broker.Config) { c.MemoryBudget = 1 }

// waitOnDisk leaves n confirmed messages in the durable queue q.
func waitOnDisk(t *testing.T, ch *amqp.Channel, n int) (ids []string) {
	t.Helper()
	must(t, ch.Confirm(false))
	durableQueue(t, ch, "q")
	for i := range n {
		m := message(i)
		c, err := ch.PublishWithDeferredConfirm("", "q", false, false, m)
		must(t, err)
		if !c.Wait() {
			t.Fatalf("message %d is refused", i)
		}
		ids = append(ids, m.MessageId)
	}
	return ids
}

// spoil flips a bit of the body of a message in the log of virtual host "/".
func spoil(t *testing.T, dir, body string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "journal", "2f", "*"))
	must(t, err)
	for _, name := range names {
		b, err := os.ReadFile(name)
		must(t, err)
		if at := bytes.Index(b, []byte(body)); at >= 0 {
			f, err := os.OpenFile(name, os.O_WRONLY, 0)
			must(t, err)
			_, err = f.WriteAt([]byte{b[at] ^ 1}, int64(at))
			must(t, errors.Join(err, f.Close()))
			return
		}
	}
	t.Fatalf("%q is not in the log", body)
}

// TestDamagedMessageIsDropped spoils messages on disk under the broker: each
// leaves its queue, counted, and those behind it go on.
func TestDamagedMessageIsDropped(t *testing.T) {
	for _, c := range []struct {
		name string
		take func(t *testing.T, s *server) []string
	}{
		{"consumed", func(t *testing.T, s *server) (ids []string) {
			deliveries := consume(t, s.channel(t), "q")
			for range 2 {
				d := next(t, deliveries)
				must(t, d.Ack(false))
				ids = append(ids, d.MessageId)
			}
			return ids
		}},
		{"fetched", func(t *testing.T, s *server) []string { return drain(t, s, "q") }},
		{"expired", func(t *testing.T, s *server) []string { return buried(t, s, "message-ttl") }},
		{"beyond the limit", func(t *testing.T, s *server) []string { return buried(t, s, "max-length") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t, cold)
			ids := waitOnDisk(t, s.channel(t), 5)
			for _, i := range []int{1, 2, 4} {
				spoil(t, s.dir, string(message(i).Body))
			}
			if got, want := c.take(t, s), []string{ids[0], ids[3]}; !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			eventually(t, "three losses are counted", func() bool { return s.metric(t, "messages_unreadable_total") == 3 })
			eventually(t, "the log has let go of all", func() bool { return s.Snapshot().VHosts[0].Journal.Messages == 0 })
		})
	}
}

// buried has a policy dead-letter all that is in q, and returns what arrives.
func buried(t *testing.T, s *server, limit string) []string {
	t.Helper()
	durableQueue(t, s.channel(t), "graves")
	must(t, s.SetPolicy("/", false, vhost.Policy{Name: "burial", Pattern: "^q$", Definition: map[string]any{
		limit: 0.0, "dead-letter-exchange": "", "dead-letter-routing-key": "graves",
	}}))
	eventually(t, "two are dead-lettered", func() bool { return s.Snapshot().VHosts[0].DeadLettered == 2 })
	return drain(t, s, "graves")
}

// TestQueueWaitsForADiskThatDoesNotRead fails reads for a while: nothing is
// dropped, and the queue goes on by itself.
func TestQueueWaitsForADiskThatDoesNotRead(t *testing.T) {
	disk := faulty.New()
	s := startOn(t, disk, t.TempDir(), cold)
	defer func() { must(t, s.stop()) }()
	ch := s.channel(t)
	ids := waitOnDisk(t, ch, 3)
	var failed atomic.Int64
	disk.Fail(func(op faulty.Op) *faulty.Fault {
		if op.Kind == faulty.Read {
			failed.Add(1)
			return &faulty.Fault{Err: errors.New("the disk does not answer")}
		}
		return nil
	})
	deliveries := consume(t, ch, "q")
	if got := next(t, deliveries).MessageId; got != ids[0] {
		t.Errorf("the message in memory is %s", got)
	}
	eventually(t, "two reads have failed", func() bool { return failed.Load() >= 2 })
	nothing(t, deliveries)
	disk.Fail(nil)
	for i, id := range ids[1:] {
		if got := next(t, deliveries).MessageId; got != id {
			t.Errorf("delivery %d is %s, want %s", i, got, id)
		}
	}
	if n := s.metric(t, "messages_unreadable_total"); n != 0 {
		t.Errorf("%v are counted as lost", n)
	}
}
