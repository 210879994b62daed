package broker_test

import (
	"errors"
	"math/rand/v2"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"thump/internal/vfs/faulty"
)

// TestPowerCutLosesNothingConfirmed cuts the power under a broker that is being
// published to: what was not synced is gone, and nothing of it was confirmed.
func TestPowerCutLosesNothingConfirmed(t *testing.T) {
	for seed := range uint64(5) {
		dir, disk := t.TempDir(), faulty.New()
		s := startOn(t, disk, dir)
		ch := s.channel(t)
		must(t, ch.Confirm(false))
		must(t, ch.ExchangeDeclare("in", "fanout", true, false, false, false, nil))
		durableQueue(t, ch, "q")
		must(t, ch.QueueBind("q", "", "in", false, nil))

		confirms := ch.NotifyPublish(make(chan amqp.Confirmation, 100000))
		acked := make(chan int)
		go func() {
			n := 0
			for c := range confirms {
				if c.Ack {
					n++
				}
			}
			acked <- n
		}()
		disk.Fail(powerCutAtSync(1 + 3*seed))
		for i := range 10000 { // as many as fit before the cut
			if ch.PublishWithContext(t.Context(), "in", "k", false, false, message(i)) != nil {
				break
			}
		}
		eventually(t, "the power is cut", func() bool { return s.metric(t, "messages_refused_total") > 0 })
		s.stop() // its error is the disk's
		confirmed := <-acked

		s = startOn(t, disk.PowerCut(rand.New(rand.NewPCG(seed, 1))), dir)
		got := drain(t, s, "q")
		for i, id := range got {
			if id != message(i).MessageId {
				t.Fatalf("message %d is %s", i, id)
			}
		}
		if len(got) < confirmed {
			t.Errorf("seed %d: %d of %d confirmed messages are there", seed, len(got), confirmed)
		}
		must(t, s.stop())
	}
}

// powerCutAtSync fails everything from the n-th sync on, which has no effect.
func powerCutAtSync(n uint64) func(faulty.Op) *faulty.Fault {
	return func(op faulty.Op) *faulty.Fault {
		if op.Kind == faulty.Sync {
			n--
		}
		if op.Kind == faulty.Sync && n == 0 {
			return &faulty.Fault{PowerCut: true}
		}
		return nil
	}
}

// drain returns the ids of the messages that a queue holds, in order.
func drain(t *testing.T, s *server, queue string) (ids []string) {
	t.Helper()
	conn := s.dial(t)
	defer conn.Close()
	ch := open(t, conn)
	for {
		d, ok, err := ch.Get(queue, true)
		must(t, err)
		if !ok {
			return ids
		}
		ids = append(ids, d.MessageId)
	}
}

func TestFailingDiskRefusesPublishes(t *testing.T) {
	disk := faulty.New()
	s := startOn(t, disk, t.TempDir())
	defer s.stop() // its error is the disk's
	ch := s.channel(t)
	must(t, ch.Confirm(false))
	durableQueue(t, ch, "q")
	confirm := func(i int) bool {
		m := message(i)
		c, err := ch.PublishWithDeferredConfirm("", "q", false, false, m)
		must(t, err)
		return c.Wait()
	}
	if !confirm(0) {
		t.Fatal("refused while the disk works")
	}
	disk.Fail(func(op faulty.Op) *faulty.Fault {
		if op.Kind == faulty.Sync {
			return &faulty.Fault{Err: errors.New("the disk is broken")}
		}
		return nil
	})
	for i := range 3 { // the first fails to sync, the others fail at once
		if confirm(i) {
			t.Errorf("publish %d confirmed on a disk that fails", i)
		}
	}
	if got := s.metric(t, "messages_refused_total"); got < 1 {
		t.Errorf("%v refused are counted", got)
	}
}
