package broker

import (
	"cmp"
	"errors"
	"slices"

	"thump/broker/amqp"
	"thump/broker/vhost"
)

// maxTransaction bounds the bytes of the publishes of one transaction.
const maxTransaction = 128 << 20

// transaction is what a channel has done since tx.select, tx.commit or
// tx.rollback, AMQP 0-9-1 §1.9. It is owned by the connection's reader.
type transaction struct {
	publishes []vhost.Message // their bytes are the transaction's
	size      int             // of those bytes
	settled   []outcome
	ticket    uint64 // the journal id that commits so far wait for
}

// outcome is a settlement that has yet to be committed.
type outcome struct {
	taken  []pending
	become settlement
}

// selectTransactions turns the channel's publishes and acks into transactions.
func (ch *channel) selectTransactions() error {
	if ch.confirms.selected {
		return amqp.ChannelError(amqp.PreconditionFailed, "cannot switch from confirm to tx mode")
	}
	if ch.tx == nil {
		ch.tx = new(transaction)
	}
	ch.answer(false, &amqp.TxSelectOk{})
	return nil
}

func errNoTransaction() error {
	return amqp.ChannelError(amqp.PreconditionFailed, "channel is not transactional")
}

// publish keeps a message up to the commit.
func (tx *transaction) publish(m *vhost.Message) error {
	tx.size += len(m.Header) + len(m.Body)
	if tx.size > maxTransaction {
		return amqp.ConnectionError(amqp.ResourceError, "transaction publishes more than %d bytes", maxTransaction)
	}
	kept := *m
	kept.Header, kept.Body = slices.Clone(m.Header), slices.Clone(m.Body)
	tx.publishes = append(tx.publishes, kept)
	return nil
}

// settleInTransaction takes deliveries off the channel; their queues hear of it
// at the commit.
func (ch *channel) settleInTransaction(tag uint64, multiple bool, become settlement) error {
	out := ch.conn.out
	out.mu.Lock()
	taken, ok := ch.unacked.takePending(tag, multiple)
	out.mu.Unlock()
	if !ok {
		return amqp.ChannelError(amqp.PreconditionFailed, "unknown delivery tag %d", tag)
	}
	ch.tx.settled = append(ch.tx.settled, outcome{taken: taken, become: become})
	return nil
}

// commit publishes what the transaction holds, then settles what it has
// acknowledged. Both go into one log in this order, so that a crash can lose the
// acks of a commit but never the publishes alone.
func (ch *channel) commit() error {
	if ch.tx == nil {
		return errNoTransaction()
	}
	tx := ch.tx
	full := false
	for i := range tx.publishes {
		ticket, err := ch.deliver(&tx.publishes[i])
		if full = full || errors.Is(err, vhost.ErrRejected); err != nil && !errors.Is(err, vhost.ErrRejected) {
			return err
		}
		tx.ticket = max(tx.ticket, ticket)
	}
	ch.commitSettled()
	ticket := tx.ticket
	ch.tx = &transaction{ticket: ticket}
	switch {
	case full:
		return amqp.ChannelError(amqp.PreconditionFailed, "partial tx completion")
	case ticket == 0:
		ch.answer(false, &amqp.TxCommitOk{})
	default:
		ch.conn.vhost.Journal().Watch(ticket, committed{ch})
	}
	return nil
}

func (ch *channel) commitSettled() {
	for _, o := range ch.tx.settled {
		ds := deliveries(o.taken)
		ch.conn.counts.settled += uint64(len(ds))
		eachQueue(ds, o.become)
	}
	out := ch.conn.out
	out.mu.Lock()
	stalled := ch.takeStalledLocked()
	out.mu.Unlock()
	resume(stalled)
}

func deliveries(taken []pending) []vhost.Delivery {
	ds := make([]vhost.Delivery, len(taken))
	for i, p := range taken {
		ds[i] = p.delivery
	}
	return ds
}

// committed answers tx.commit.
type committed struct{ ch *channel }

// Durable is called by the journal. The answer is the promise that all that the
// transaction has published is on disk.
func (c committed) Durable(_ uint64, err error) {
	conn := c.ch.conn
	if err != nil {
		conn.shutdown(amqp.ConnectionError(amqp.InternalError, "transaction is not on disk, see the broker's log"))
		return
	}
	conn.out.mu.Lock()
	defer conn.out.mu.Unlock()
	if !c.ch.closed {
		conn.out.sendLocked(c.ch.id, &amqp.TxCommitOk{})
	}
}

// rollback forgets the publishes and lets the deliveries be settled again.
func (ch *channel) rollback() error {
	if ch.tx == nil {
		return errNoTransaction()
	}
	ch.abandon()
	ch.answer(false, &amqp.TxRollbackOk{})
	return nil
}

// abandon gives up the transaction, if there is one.
func (ch *channel) abandon() {
	if ch.tx == nil {
		return
	}
	out := ch.conn.out
	out.mu.Lock()
	defer out.mu.Unlock()
	for _, o := range ch.tx.settled {
		ch.unacked.restore(o.taken)
	}
	ch.tx = &transaction{ticket: ch.tx.ticket}
}

// takePending is take, but keeps the tags.
func (u *unacked) takePending(tag uint64, multiple bool) (taken []pending, ok bool) {
	if !multiple {
		ds, ok := u.take(nil, tag, false)
		if !ok {
			return nil, false
		}
		return []pending{{tag: tag, delivery: ds[0]}}, true
	}
	for _, p := range u.list[u.head:] {
		if !p.settled && (tag == 0 || p.tag <= tag) {
			taken = append(taken, p)
		}
	}
	_, ok = u.take(nil, tag, true)
	return taken, ok
}

// restore puts back what takePending took.
func (u *unacked) restore(taken []pending) {
	u.compact()
	u.list = append(u.list, taken...)
	slices.SortFunc(u.list, func(a, b pending) int { return cmp.Compare(a.tag, b.tag) })
}
