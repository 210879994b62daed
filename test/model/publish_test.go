package model

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"
)

// compose makes up messages of one publisher.
func (r *run) compose(ch *channel, count int) []*message {
	var messages []*message
	for range count {
		r.messages++
		m := &message{
			number: r.messages, publisher: ch.number, step: r.step, persistent: r.rand.IntN(4) > 0,
			key: one(r, keys), size: one(r, []int{10, 100, 1000, 20000}),
		}
		if r.rand.IntN(200) == 0 {
			m.size = 300_000 // several frames
		}
		switch q := r.anyQueue(); {
		case q != nil && r.rand.IntN(2) == 0:
			m.key = q.name
		default:
			m.exchange = one(r, slices.Sorted(maps.Keys(r.exchanges)))
		}
		messages = append(messages, m)
	}
	return messages
}

// send publishes messages in their order; those after an error are not sent.
func (ch *channel) send(messages []*message) (confirms []*amqp.DeferredConfirmation, err error) {
	for _, m := range messages {
		p := amqp.Publishing{Body: m.body(), DeliveryMode: amqp.Transient}
		if m.persistent {
			p.DeliveryMode = amqp.Persistent
		}
		c, err := ch.client.PublishWithDeferredConfirm(m.exchange, m.key, false, false, p)
		if err != nil {
			return confirms, fmt.Errorf("publish %d: %w", m.number, err)
		}
		confirms = append(confirms, c)
	}
	return confirms, nil
}

// enter puts a message into the model's queues.
func (r *run) enter(m *message, uncertain func(*queue) bool) {
	for _, q := range r.route(m) {
		q.ready[m.number] = &item{message: m, uncertain: uncertain(q)}
	}
}

func certain(*queue) bool { return false }

// publish has channels publish side by side, and waits for all confirms.
func (r *run) publish(channels []*channel, count int) bool {
	batches := make([][]*message, len(channels))
	errs := make([]error, len(channels))
	var publishers sync.WaitGroup
	for i, ch := range channels {
		batches[i] = r.compose(ch, 1+r.rand.IntN(count))
		r.note("%d on channel %d,", len(batches[i]), ch.number)
	}
	for i, ch := range channels {
		publishers.Go(func() { errs[i] = ch.sendConfirmed(r, batches[i]) })
	}
	publishers.Wait()
	for i := range channels {
		r.check(errs[i])
		for _, m := range batches[i] {
			r.enter(m, certain)
		}
	}
	return true
}

func (ch *channel) sendConfirmed(r *run, messages []*message) error {
	confirms, err := ch.send(messages)
	if err != nil {
		return err
	}
	for i, c := range confirms {
		ok, err := c.WaitContext(r.t.Context())
		if err != nil || !ok {
			return fmt.Errorf("message %d is not confirmed: %w", messages[i].number, err)
		}
	}
	return nil
}

func (r *run) publishSome() bool { return r.publish([]*channel{r.anyChannel()}, 15) }

func (r *run) publishBurst() bool { return r.publish(r.allChannels(), 40) }

// allChannels returns every channel but the control's.
func (r *run) allChannels() []*channel {
	channels := []*channel{r.anyChannel()}
	for _, c := range r.connections {
		for _, ch := range c.channels {
			if ch != channels[0] {
				channels = append(channels, ch)
			}
		}
	}
	return channels
}
