package broker_test

import (
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

func TestTransaction(t *testing.T) {
	s := start(t)
	ch := s.channel(t)
	durableQueue(t, ch, "in")
	durableQueue(t, ch, "out")
	publish(t, ch, "", "in", "1", "2", "3")
	got := consume(t, ch, "in")
	first, second := next(t, got), next(t, got)
	must(t, ch.Tx())

	must(t, ch.PublishWithContext(t.Context(), "", "out", false, false, message(1)))
	must(t, first.Ack(false))
	must(t, second.Nack(false, true))
	if q := durableQueue(t, s.channel(t), "out"); q.Messages != 0 {
		t.Errorf("%d messages before the commit", q.Messages)
	}
	must(t, ch.TxRollback())
	must(t, first.Ack(false)) // it may be settled again
	must(t, ch.PublishWithContext(t.Context(), "", "out", false, false, message(2)))
	must(t, ch.TxCommit())
	must(t, ch.Close())

	if ids := drain(t, s, "out"); len(ids) != 1 || ids[0] != message(2).MessageId {
		t.Errorf("published %q, want the second", ids)
	}
	eventually(t, "two messages are back", func() bool { return durableQueue(t, s.channel(t), "in").Messages == 2 })
}

func TestTransactionThatIsNotCommitted(t *testing.T) {
	s := start(t)
	ch := s.channel(t)
	durableQueue(t, ch, "q")
	publish(t, ch, "", "q", "1")
	got := consume(t, ch, "q")
	must(t, ch.Tx())
	must(t, next(t, got).Ack(false))
	publish(t, ch, "", "q", "2")
	must(t, ch.Close())
	eventually(t, "the first is back, the second was never there", func() bool {
		return durableQueue(t, s.channel(t), "q").Messages == 1
	})
}

// TestCommittedIsDurable looks at the journal after commit-ok.
func TestCommittedIsDurable(t *testing.T) {
	s := start(t)
	ch := s.channel(t)
	durableQueue(t, ch, "q")
	must(t, ch.Tx())
	for i := range 10 {
		must(t, ch.PublishWithContext(t.Context(), "", "q", false, false, message(i)))
	}
	must(t, ch.TxCommit())
	if j := s.Snapshot().VHosts[0].Journal; j.Syncs == 0 || j.Pending != 0 || j.Appended != 10 {
		t.Errorf("after commit-ok: %+v", j)
	}
}

func TestTransactionRefusals(t *testing.T) {
	s := start(t)
	for _, c := range []struct {
		what string
		do   func(*amqp.Channel) error
		text string
	}{
		{"confirms, then tx", func(ch *amqp.Channel) error {
			must(t, ch.Confirm(false))
			return ch.Tx()
		}, "cannot switch from confirm to tx mode"},
		{"tx, then confirms", func(ch *amqp.Channel) error {
			must(t, ch.Tx())
			return ch.Confirm(false)
		}, "cannot switch from tx to confirm mode"},
		{"commit without tx", (*amqp.Channel).TxCommit, "channel is not transactional"},
		{"rollback without tx", (*amqp.Channel).TxRollback, "channel is not transactional"},
		{"a queue that is full", func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare("full", false, true, false, false,
				amqp.Table{"x-max-length": 1, "x-overflow": "reject-publish"})
			must(t, err)
			must(t, ch.Tx())
			publish(t, ch, "", "full", "1", "2")
			return ch.TxCommit()
		}, "partial tx completion"},
	} {
		t.Run(c.what, func(t *testing.T) {
			wantException(t, c.do(s.channel(t)), 406, "PRECONDITION_FAILED - "+c.text)
		})
	}
}
