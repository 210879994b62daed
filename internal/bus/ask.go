package bus

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"

	amqp "github.com/rabbitmq/amqp091-go"
)

// replyQueue is where RabbitMQ's direct reply-to brings answers: to the channel
// that has asked, without a queue that the asker would need a right to.
const replyQueue = "amq.rabbitmq.reply-to"

// Ask puts one question, in the asker's own name, over a connection of its own and
// waits for the answer. Whoever asks needs no right but to write to the exchange.
// If nobody is there who could answer, the error is ErrUnroutable. A nil trust is
// what the configuration says.
func Ask(ctx context.Context, cfg Config, trust *tls.Config, exchange string, m *Message) (*Message, error) {
	if len(cfg.URLs) == 0 {
		return nil, errors.New("ask: no broker given")
	}
	if trust == nil {
		var err error
		if trust, err = cfg.trust(); err != nil {
			return nil, err
		}
	}
	conn, u, err := connect(ctx, cfg.URLs[0], "thump", trust)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // whatever is waited for ends
	defer stop()
	answer, err := question(ctx, conn, u, exchange, m)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("no answer: %w", ctx.Err())
	}
	return answer, err
}

func question(ctx context.Context, conn *amqp.Connection, u *url.URL, exchange string, m *Message) (*Message, error) {
	ch, err := conn.Channel()
	if err != nil {
		return nil, fmt.Errorf("open channel: %w", err)
	}
	answers, err := ch.ConsumeWithContext(ctx, replyQueue, "", true, false, false, false, nil)
	if err != nil {
		return nil, fmt.Errorf("wait for answers: %w", err)
	}
	returned := ch.NotifyReturn(make(chan amqp.Return, 1))
	ended := ch.NotifyClose(make(chan *amqp.Error, 1))
	p := publishing(m)
	p.ReplyTo, p.UserId = replyQueue, u.User.Username()
	if err := ch.PublishWithContext(ctx, exchange, m.Key, true, false, p); err != nil {
		return nil, fmt.Errorf("ask: %w", err)
	}
	select {
	case d, ok := <-answers:
		if ok {
			return &fromAMQP(&d, amqpChannel{ch}).Message, nil
		}
	case <-returned:
		return nil, ErrUnroutable
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := <-ended; err != nil {
		return nil, fmt.Errorf("ask: %w", err)
	}
	return nil, ErrLinkLost
}
