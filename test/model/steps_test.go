package model

import (
	"fmt"
	"maps"
	"slices"

	amqp "github.com/rabbitmq/amqp091-go"
)

// action is a kind of step. It reports false when there was nothing to do it to.
type action struct {
	name   string
	weight int
	run    func(*run) bool
}

var actions = []action{
	{"declare queue", 8, (*run).declareQueue},
	{"delete queue", 2, (*run).deleteQueue},
	{"purge", 2, (*run).purge},
	{"declare exchange", 4, (*run).declareExchange},
	{"delete exchange", 1, (*run).deleteExchange},
	{"bind", 12, (*run).bind},
	{"unbind", 3, (*run).unbind},
	{"publish", 20, (*run).publishSome},
	{"publish side by side", 8, (*run).publishBurst},
	{"consume", 10, (*run).consume},
	{"get", 10, (*run).get},
	{"ack", 14, (*run).ack},
	{"requeue", 10, (*run).requeue},
	{"reject", 4, (*run).reject},
	{"cancel", 4, (*run).cancel},
	{"open channel", 4, (*run).openChannel},
	{"close channel", 3, (*run).closeChannel},
	{"fail channel", 2, (*run).failChannel},
	{"close connection", 2, (*run).closeConnection},
	{"cut connection", 2, (*run).cutConnection},
	{"audit", 4, (*run).auditOne},
	{"barrier", 8, (*run).barrier},
	{"kill", 1, (*run).crash},
	{"kill amid publishes", 2, (*run).crashAmid},
	{"terminate", 1, (*run).terminate},
}

// The names and keys that there are.
var (
	queueNames    = []string{"q0", "q1", "q2", "q3", "q4", "q5"}
	exchangeKinds = map[string]exchange{"xd": {"direct", true}, "xf": {"fanout", false}, "xt": {"topic", true}}
	keys          = []string{"a", "a.b", "b.a", "a.b.c"}
	patterns      = []string{"a", "a.b", "a.*", "*.a", "#", "a.#", "#.c"}
)

func one[T any](r *run, list []T) T { return list[r.rand.IntN(len(list))] }

// anyQueue returns nil when there is none.
func (r *run) anyQueue() *queue {
	if len(r.queues) == 0 {
		return nil
	}
	return r.queues[one(r, slices.Sorted(maps.Keys(r.queues)))]
}

func (r *run) anyChannel() *channel {
	c := one(r, r.connections)
	if len(c.channels) == 0 {
		return r.open(c)
	}
	return one(r, c.channels)
}

func (r *run) equal(what string, got, want int) {
	r.t.Helper()
	if got != want {
		r.check(fmt.Errorf("%s: %d, want %d", what, got, want))
	}
}

func (r *run) declareQueue() bool {
	name := one(r, queueNames)
	q := r.queues[name]
	if q == nil {
		q = newQueue(name, r.rand.IntN(4) > 0, r.rand.IntN(5) == 0)
	}
	r.note("%s durable %t auto-delete %t", name, q.durable, q.autoDelete)
	info, err := r.anyChannel().client.QueueDeclare(name, q.durable, q.autoDelete, false, false, nil)
	r.check(err)
	r.equal("messages", info.Messages, len(q.ready))
	r.equal("consumers", info.Consumers, len(q.consumers))
	r.queues[name] = q
	return true
}

func (r *run) deleteQueue() bool {
	q := r.anyQueue()
	if q == nil {
		return false
	}
	r.note("%s", q.name)
	n, err := r.anyChannel().client.QueueDelete(q.name, false, false, false)
	r.check(err)
	r.equal("messages deleted", n, len(q.ready))
	r.removeQueue(q)
	return true
}

func (r *run) purge() bool {
	q := r.anyQueue()
	if q == nil {
		return false
	}
	r.note("%s", q.name)
	n, err := r.anyChannel().client.QueuePurge(q.name, false)
	r.check(err)
	r.equal("messages purged", n, len(q.ready))
	for _, i := range q.ready {
		q.settle(i)
	}
	return true
}

func (r *run) declareExchange() bool {
	name := one(r, slices.Sorted(maps.Keys(exchangeKinds)))
	x := exchangeKinds[name]
	r.note("%s", name)
	r.check(r.anyChannel().client.ExchangeDeclare(name, x.kind, x.durable, false, false, false, nil))
	r.exchanges[name] = x
	return true
}

func (r *run) deleteExchange() bool {
	name := one(r, slices.Sorted(maps.Keys(exchangeKinds)))
	r.note("%s", name)
	r.check(r.anyChannel().client.ExchangeDelete(name, false, false))
	r.removeExchange(name)
	return true
}

func (r *run) bind() bool {
	q := r.anyQueue()
	if q == nil {
		return false
	}
	b := binding{one(r, slices.Sorted(maps.Keys(r.exchanges))), q.name, one(r, patterns)}
	r.note("%v", b)
	r.check(r.anyChannel().client.QueueBind(b.queue, b.key, b.exchange, false, nil))
	r.bindings[b] = true
	return true
}

func (r *run) unbind() bool {
	if len(r.bindings) == 0 {
		return false
	}
	b := one(r, slices.SortedFunc(maps.Keys(r.bindings), func(a, b binding) int {
		return slices.Compare([]string{a.exchange, a.queue, a.key}, []string{b.exchange, b.queue, b.key})
	}))
	r.note("%v", b)
	r.check(r.anyChannel().client.QueueUnbind(b.queue, b.key, b.exchange, nil))
	delete(r.bindings, b)
	return true
}

func (r *run) consume() bool {
	q, ch := r.anyQueue(), r.anyChannel()
	if q == nil {
		return false
	}
	ch.prefetch = one(r, []int{0, 1, 2, 5, 20})
	r.sync(ch)
	c := r.subscribe(ch, q, r.rand.IntN(6) == 0)
	r.note("%s of %s on channel %d, no-ack %t, prefetch %d", c.tag, q.name, ch.number, c.noAck, c.prefetch)
	return true
}

func (r *run) cancel() bool {
	ch := r.anyChannel()
	if len(ch.consumers) == 0 {
		return false
	}
	c := ch.consumers[one(r, slices.Sorted(maps.Keys(ch.consumers)))]
	r.note("%s", c.tag)
	r.check(ch.client.Cancel(c.tag, false))
	r.leave(c)
	return true
}

func (r *run) get() bool {
	q, ch := r.anyQueue(), r.anyChannel()
	if q == nil {
		return false
	}
	noAck := r.rand.IntN(4) == 0
	r.note("%s on channel %d, no-ack %t", q.name, ch.number, noAck)
	r.fetch(ch, q, noAck)
	return true
}

// fetch takes one message by basic.get, nil if there is none.
func (r *run) fetch(ch *channel, q *queue, noAck bool) *item {
	r.t.Helper()
	d, ok, err := ch.client.Get(q.name, noAck)
	r.check(err)
	if !ok {
		for _, i := range q.ready {
			if !i.uncertain {
				r.check(fmt.Errorf("%s is empty, message %d is lost", q.name, i.number))
			}
		}
		return nil
	}
	i, err := q.take(d, noAck)
	r.check(err)
	if !noAck {
		ch.hold(d.DeliveryTag, i, q, nil)
	}
	return i
}

// some takes one delivery of a channel, or all up to one.
func (r *run) some() (ch *channel, taken []held, multiple bool) {
	ch = r.anyChannel()
	if len(ch.held) == 0 {
		return nil, nil, false
	}
	last := r.rand.IntN(len(ch.held))
	multiple = r.rand.IntN(2) == 0
	first := last
	if multiple {
		first = 0
	}
	taken = ch.release(first, last+1)
	r.note("channel %d, %d to %d", ch.number, taken[0].tag, taken[len(taken)-1].tag)
	return ch, taken, multiple
}

func (r *run) ack() bool {
	ch, taken, multiple := r.some()
	if ch == nil {
		return false
	}
	r.check(ch.client.Ack(taken[len(taken)-1].tag, multiple))
	return r.end(ch, taken)
}

func (r *run) reject() bool {
	ch, taken, multiple := r.some()
	if ch == nil {
		return false
	}
	if multiple {
		r.check(ch.client.Nack(taken[len(taken)-1].tag, true, false))
	} else {
		r.check(ch.client.Reject(taken[0].tag, false))
	}
	return r.end(ch, taken)
}

func (r *run) end(ch *channel, taken []held) bool {
	r.sync(ch)
	for _, h := range taken {
		h.queue.settle(h.item)
	}
	return true
}

func (r *run) requeue() bool {
	ch, taken, multiple := r.some()
	if ch == nil {
		return false
	}
	r.check(ch.client.Nack(taken[len(taken)-1].tag, multiple, true))
	r.sync(ch)
	for _, h := range taken {
		h.queue.putBack(h.item)
	}
	return true
}

func (r *run) openChannel() bool {
	if len(r.connections) < 3 {
		r.connections = append(r.connections, r.dial())
	}
	if c := one(r, r.connections); len(c.channels) < 3 {
		r.note("%d", r.open(c).number)
	}
	return true
}

func (r *run) closeChannel() bool {
	ch := r.anyChannel()
	r.note("%d", ch.number)
	r.vanish(ch)
	r.check(ch.client.Close())
	return true
}

// failChannel makes a mistake that costs the channel.
func (r *run) failChannel() bool {
	ch := r.anyChannel()
	r.note("%d", ch.number)
	r.vanish(ch)
	_, err := ch.client.QueueDeclarePassive("missing", false, false, false, false, nil)
	if e, ok := err.(*amqp.Error); !ok || e.Code != amqp.NotFound {
		r.check(fmt.Errorf("declare a missing queue: %v", err))
	}
	return true
}

// quitting takes a connection out. Its consumers without ack are cancelled
// before: they could take what its channels put back one after the other.
func (r *run) quitting() *connection {
	at := r.rand.IntN(len(r.connections))
	c := r.connections[at]
	r.note("%d", c.number)
	for _, ch := range c.channels {
		for tag, consumer := range ch.consumers {
			if consumer.noAck {
				r.check(ch.client.Cancel(tag, false))
				r.leave(consumer)
			}
		}
	}
	r.vanish(slices.Clone(c.channels)...)
	r.connections[at] = r.dial()
	r.ending = true
	return c
}

func (r *run) closeConnection() bool {
	r.check(r.quitting().client.Close())
	return true
}

func (r *run) cutConnection() bool {
	_ = r.quitting().socket.Close()
	return true
}
