// Package model tests the broker in the manner of a model checker: a real `thump
// broker` and a small model of AMQP's semantics are taken through the same random
// steps (declare, bind, publish, consume, get, ack, nack, reject, cancel, close,
// purge, delete, SIGKILL, SIGTERM), and after each step they must agree.
//
// The test sends one thing at a time, or the same kind of thing on several
// channels side by side, and waits for its end: for the confirms, for the answer
// to a method behind the acks, for as many deliveries as the model says there
// are to come. So between steps the model is exact, and no sleep is needed. Two
// things it cannot know, and an audit, which takes every message out of a queue
// and puts it back, finds them out: whether a publish that a crash cut off was
// stored, and whether a settlement was that no later confirm has made durable.
//
// Checked at each delivery: it was routed to this queue, has not been settled, is
// in nobody's hands, has the bytes that were published, says redelivered if and
// only if it was delivered before (after a restart it may say so of any), and
// neither overtakes an earlier message of its publisher nor of an earlier step,
// put back or not. After a step: the queues, their ready and unacknowledged
// messages and consumers, the exchanges and the bindings in the management API.
// After a restart: every confirmed persistent message of a durable queue that
// was not settled is there, nothing that was settled before a barrier is.
//
// THUMP_MODEL_SEED repeats the choices of a run, THUMP_MODEL_STEPS sets its
// length; with THUMP_LONG_TESTS it has thousands of steps.
package model

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Lengths of a run.
const (
	shortRun = 1500
	longRun  = 10000
	killings = 100 // steps from one SIGKILL to the next at most
)

func TestModel(t *testing.T) {
	seed := uint64(number(t, "THUMP_MODEL_SEED", int(time.Now().UnixNano()&0xffffffff)))
	steps := shortRun
	if os.Getenv("THUMP_LONG_TESTS") != "" {
		steps = longRun
	}
	steps = number(t, "THUMP_MODEL_STEPS", steps)
	t.Logf("THUMP_MODEL_SEED=%d THUMP_MODEL_STEPS=%d", seed, steps)
	r := &run{
		t: t, rand: rand.New(rand.NewPCG(seed, 0)), node: newNode(t), topology: newTopology(),
		inbox: make(chan arrival, 1024), tally: map[string]int{},
	}
	r.node.start()
	r.connect()
	for r.step = 1; r.step <= steps; r.step++ {
		r.next()
	}
	r.stop()
	t.Logf("%d messages, steps: %v", r.messages, r.tally)
	if want := steps / killings; r.tally["kill"]+r.tally["kill amid publishes"] < want {
		t.Errorf("fewer than %d kills: %v", want, r.tally)
	}
}

func number(t *testing.T, variable string, otherwise int) int {
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return n
}

// run is one run: the broker, the clients and the model.
type run struct {
	t    *testing.T
	rand *rand.Rand
	node *node
	topology
	control     *channel // for audits and barriers
	connections []*connection
	inbox       chan arrival
	carriers    sync.WaitGroup

	step, serial, messages int
	killed                 int  // step of the last SIGKILL
	ending                 bool // a connection was closed in this step
	history                []string
	tally                  map[string]int
}

// next takes one step and checks everything after it.
func (r *run) next() {
	r.t.Helper()
	action := r.choose()
	r.tally[action.name]++
	r.history = append(r.history, fmt.Sprintf("\n%d %s", r.step, action.name))
	if !action.run(r) {
		return
	}
	r.settle()
	r.agree()
}

func (r *run) choose() action {
	if r.step-r.killed >= killings {
		return action{"kill", 0, (*run).crash}
	}
	total := 0
	for _, a := range actions {
		total += a.weight
	}
	n := r.rand.IntN(total)
	for _, a := range actions {
		if n -= a.weight; n < 0 {
			return a
		}
	}
	panic("unreachable")
}

// note adds what was chosen to the history.
func (r *run) note(format string, args ...any) {
	r.history[len(r.history)-1] += " " + fmt.Sprintf(format, args...)
}

// trail is the end of the history.
func (r *run) trail() string {
	return strings.Join(r.history[max(0, len(r.history)-25):], "")
}

func (r *run) check(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatalf("%v\nafter %s", err, r.trail())
	}
}

// settle receives as many deliveries as are to come, and checks them.
func (r *run) settle() {
	r.t.Helper()
	awaited := 0
	for _, q := range r.queues {
		awaited += q.credit()
	}
	streams := map[*queue]map[*consumer][]*item{}
	for ; awaited > 0; awaited-- {
		a := r.receive(awaited)
		i, err := a.consumer.queue.take(a.delivery, a.consumer.noAck)
		r.check(err)
		r.keep(a, i)
		if streams[a.consumer.queue] == nil {
			streams[a.consumer.queue] = map[*consumer][]*item{}
		}
		streams[a.consumer.queue][a.consumer] = append(streams[a.consumer.queue][a.consumer], i)
	}
	for q, s := range streams {
		r.check(q.inOrder(s))
	}
	r.nothingMore()
	for _, q := range r.queues {
		for _, i := range q.ready {
			i.moving = false
		}
		for _, i := range q.held {
			i.moving = false
		}
	}
}

// nothingMore checks that no delivery came beyond those that were due. One that
// is later still is found after the next step.
func (r *run) nothingMore() {
	r.t.Helper()
	for len(r.inbox) > 0 {
		if a := <-r.inbox; !a.consumer.dead {
			r.check(fmt.Errorf("%d bytes delivered to consumer %s, which was due none", len(a.delivery.Body), a.consumer.tag))
		}
	}
}

func (r *run) receive(awaited int) arrival {
	r.t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case a := <-r.inbox:
			if !a.consumer.dead {
				return a
			}
		case <-timeout:
			r.t.Fatalf("%d deliveries do not come after %s", awaited, r.trail())
		}
	}
}

// keep notes a delivery that its consumer has to settle.
func (r *run) keep(a arrival, i *item) {
	c := a.consumer
	if c.channel.consumers[c.tag] != c {
		r.check(fmt.Errorf("message %d delivered to consumer %s after its end", i.number, c.tag))
	}
	if c.noAck {
		return
	}
	c.channel.hold(a.delivery.DeliveryTag, i, c.queue, c)
	if c.prefetch > 0 && c.held > c.prefetch {
		r.check(fmt.Errorf("consumer %s has %d deliveries, prefetch %d", c.tag, c.held, c.prefetch))
	}
}

// connect opens what every run begins with, and begins again with after a restart.
func (r *run) connect() {
	r.connections, r.control = nil, nil
	r.control = r.open(r.dial())
	_, err := r.control.client.QueueDeclare(barrierQueue, true, false, false, false, nil)
	r.check(err)
	for range 2 {
		r.connections = append(r.connections, r.dial())
		r.open(r.connections[len(r.connections)-1])
	}
}

// disconnect forgets all clients: the broker has gone, or is about to.
func (r *run) disconnect() {
	_ = r.control.connection.socket.Close()
	for _, c := range r.connections {
		_ = c.socket.Close()
	}
	ended := make(chan struct{})
	go func() { r.carriers.Wait(); close(ended) }()
	for {
		select {
		case <-r.inbox: // of consumers that are gone
		case <-ended:
			for len(r.inbox) > 0 {
				<-r.inbox
			}
			return
		}
	}
}

// stop ends the run: whatever still arrives was not due.
func (r *run) stop() {
	r.terminate()
	r.settle()
	r.agree()
	r.disconnect()
	r.node.stop()
}
