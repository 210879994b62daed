package model

import (
	"maps"
	"slices"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"
)

// barrierQueue is the one queue that the model leaves out.
const barrierQueue = "barrier"

// barrier makes durable what was settled: the journal keeps the order in which it
// hears of things, so the confirm of a later persistent message vouches for them.
func (r *run) barrier() bool {
	c, err := r.control.client.PublishWithDeferredConfirm("", barrierQueue, false, false, amqp.Publishing{DeliveryMode: amqp.Persistent})
	r.check(err)
	if ok, err := c.WaitContext(r.t.Context()); err != nil || !ok {
		r.t.Fatalf("barrier is not confirmed: %v", err)
	}
	_, err = r.control.client.QueuePurge(barrierQueue, false)
	r.check(err)
	for _, q := range r.queues {
		clear(q.unsynced)
	}
	return true
}

// crash kills the broker while nothing is under way.
func (r *run) crash() bool {
	r.killed = r.step
	r.node.kill()
	r.restart(true)
	return true
}

// crashAmid kills the broker while all channels publish.
func (r *run) crashAmid() bool {
	r.killed = r.step
	channels := r.allChannels()
	batches := make([][]*message, len(channels))
	confirms := make([][]*amqp.DeferredConfirmation, len(channels))
	for i, ch := range channels {
		batches[i] = r.compose(ch, 200)
	}
	after := r.rand.IntN(300) // confirms, when the broker is killed
	confirmed := make(chan struct{}, 200*len(channels))
	var publishers sync.WaitGroup
	for i, ch := range channels {
		publishers.Go(func() {
			confirms[i], _ = ch.send(batches[i]) // the broker may be gone
			for _, c := range confirms[i] {
				if c.Wait() {
					confirmed <- struct{}{}
				}
			}
		})
	}
	all := make(chan struct{})
	go func() { publishers.Wait(); close(all) }()
	awaitConfirms(confirmed, after, all)
	r.node.kill()
	r.disconnect()
	<-all
	for i := range channels {
		r.enterCut(batches[i], confirms[i])
	}
	r.restart(true)
	return true
}

func awaitConfirms(confirmed <-chan struct{}, count int, all <-chan struct{}) {
	for range count {
		select {
		case <-confirmed:
		case <-all:
			return
		}
	}
}

// enterCut puts the publishes of a channel into the model whose end a crash has
// hidden. What a consumer without ack may have taken is uncertain too.
func (r *run) enterCut(messages []*message, confirms []*amqp.DeferredConfirmation) {
	sure := 0
	for i, m := range messages {
		confirmed := i < len(confirms) && confirms[i].Acked()
		if confirmed {
			sure++
		}
		r.enter(m, func(q *queue) bool {
			return !confirmed || q.snatched()
		})
	}
	r.note("%d of %d confirmed,", sure, len(messages))
}

// terminate stops the broker in good order. It has then stored every settlement.
// But the connections end one after the other: a consumer without ack may take
// what another client gave back, and an auto-delete queue go with its last consumer.
func (r *run) terminate() bool {
	r.node.stop()
	for _, q := range r.queues {
		q.leaving = q.autoDelete && len(q.consumers) > 0
		for _, i := range q.held {
			i.uncertain = q.snatched()
		}
	}
	r.restart(false)
	return true
}

// restart starts the broker again and looks at everything in it.
func (r *run) restart(crash bool) {
	r.t.Helper()
	r.disconnect()
	r.topology.restart(crash)
	r.node.start()
	r.findLeft()
	r.connect()
	for _, name := range slices.Sorted(maps.Keys(r.queues)) {
		r.audit(r.queues[name])
	}
	r.barrier()
}

// findLeft removes the auto-delete queues from the model that went with their consumers.
func (r *run) findLeft() {
	var got []queueCounts
	r.check(r.node.get("/api/queues", &got))
	for name, q := range r.queues {
		there := slices.ContainsFunc(got, func(c queueCounts) bool { return c.Name == name })
		if q.leaving && !there {
			r.removeQueue(q)
		}
		q.leaving = false
	}
}

// auditOne looks at one queue that nobody consumes.
func (r *run) auditOne() bool {
	q := r.anyQueue()
	if q == nil || len(q.consumers) > 0 {
		return false
	}
	r.note("%s", q.name)
	r.audit(q)
	return true
}

// audit takes all messages out of a queue, checks them and puts them back.
func (r *run) audit(q *queue) {
	r.t.Helper()
	var items []*item
	for i := r.fetch(r.control, q, false); i != nil; i = r.fetch(r.control, q, false) {
		items = append(items, i)
	}
	for number, i := range q.ready { // fetch has seen that all of them are uncertain
		delete(q.ready, number)
		q.settled[number] = i
	}
	r.check(q.inOrder(map[*consumer][]*item{nil: items}))
	if len(items) == 0 {
		return
	}
	r.check(r.control.client.Nack(0, true, true))
	r.sync(r.control)
	for _, h := range r.control.release(0, len(r.control.held)) {
		h.queue.putBack(h.item)
	}
}
