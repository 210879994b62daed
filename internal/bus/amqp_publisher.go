package bus

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	// confirmWithin is how long a broker that has not blocked us may leave a message
	// without a confirm. RabbitMQ does so without a word while a quorum queue has no
	// majority in reach: then the link is given up, and the message published again
	// on another node, which may be in reach of one.
	confirmWithin = 10 * time.Second
	// renewAfter is how old a channel on which a message was refused must be to be
	// replaced. Where a queue itself refuses, this is how often.
	renewAfter = time.Second
)

// amqpPublisher is the channel on which a link publishes, with confirms.
//
// RabbitMQ refuses for ever what is published on a channel whose first message to
// a quorum queue came while the queue had lost its leader and had no new one: the
// channel keeps asking the leader that is dead. Another channel asks the new one.
// So a link replaces the channel once something was refused on it.
type amqpPublisher struct {
	// Static after construction.
	ch     *amqp.Channel
	opened time.Time
	closed chan struct{} // by watch
	asks   chan ask      // to watch

	retired atomic.Bool // is being replaced, or has been
}

// ask is the question whether a message was returned.
type ask struct {
	id    string
	reply chan bool // holds one answer
}

// newAMQPPublisher selects confirms on ch. Then whoever called runs watch.
func newAMQPPublisher(ch *amqp.Channel) (*amqpPublisher, error) {
	if err := ch.Confirm(false); err != nil {
		return nil, fmt.Errorf("select confirms: %w", err)
	}
	return &amqpPublisher{ch: ch, opened: time.Now(), closed: make(chan struct{}), asks: make(chan ask)}, nil
}

// watch collects returned messages until the channel ends, and returns why. The
// client hands a return over before the confirm of the same message, and waits
// until it is taken: whoever asks after the confirm learns of the return.
func (p *amqpPublisher) watch(returns <-chan amqp.Return, ended <-chan *amqp.Error) *amqp.Error {
	defer close(p.closed)
	ids := map[string]bool{}
	for {
		select {
		case r, ok := <-returns:
			if ok {
				ids[r.MessageId] = true
			} else {
				returns = nil
			}
		case a := <-p.asks:
			a.reply <- ids[a.id]
			delete(ids, a.id)
		case err := <-ended:
			return err
		}
	}
}

// returned tells whether a message, which was confirmed, came back.
func (p *amqpPublisher) returned(id string) bool {
	a := ask{id: id, reply: make(chan bool, 1)}
	select {
	case p.asks <- a:
		return <-a.reply
	case <-p.closed:
		return false
	}
}

// publish returns once the broker has confirmed m; blocked tells whether the
// broker has said that it will not for now.
func (p *amqpPublisher) publish(ctx context.Context, exchange, key string, m amqp.Publishing, blocked *atomic.Bool) error {
	conf, err := p.ch.PublishWithDeferredConfirmWithContext(ctx, exchange, key, true, false, m)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrLinkLost, err)
	}
	if err := p.confirmed(ctx, conf, blocked); err != nil {
		return err
	}
	switch {
	case !conf.Acked() && p.ch.IsClosed():
		return ErrLinkLost
	case !conf.Acked():
		return ErrRefused
	case p.returned(m.MessageId):
		return ErrUnroutable
	}
	return nil
}

// confirmed waits for the confirm.
func (p *amqpPublisher) confirmed(ctx context.Context, conf *amqp.DeferredConfirmation, blocked *atomic.Bool) error {
	overdue := time.NewTicker(confirmWithin)
	defer overdue.Stop()
	for {
		select {
		case <-conf.Done():
			return nil
		case <-p.closed:
			return ErrLinkLost
		case <-ctx.Done():
			return ctx.Err()
		case <-overdue.C:
			if !blocked.Load() {
				return errSilent
			}
		}
	}
}

// errSilent is of a broker to be given up.
var errSilent = fmt.Errorf("%w: no confirm within %v", ErrLinkLost, confirmWithin)
