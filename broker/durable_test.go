package broker_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	amqp "github.com/rabbitmq/amqp091-go"

	"thump/broker"
	"thump/internal/vfs"
)

func durableQueue(t *testing.T, ch *amqp.Channel, name string) amqp.Queue {
	t.Helper()
	q, err := ch.QueueDeclare(name, true, false, false, false, nil)
	must(t, err)
	return q
}

// message is the i-th message of a test.
func message(i int) amqp.Publishing {
	return amqp.Publishing{DeliveryMode: amqp.Persistent, MessageId: fmt.Sprint(i), Body: []byte(fmt.Sprint("body ", i))}
}

// publishConfirmed publishes persistent messages and waits for their confirms.
func publishConfirmed(t *testing.T, ch *amqp.Channel, exchange string, from, to int) {
	t.Helper()
	var all []*amqp.DeferredConfirmation
	for i := from; i < to; i++ {
		c, err := ch.PublishWithDeferredConfirm(exchange, "k", true, false, message(i))
		must(t, err)
		all = append(all, c)
	}
	for i, c := range all {
		if !c.Wait() {
			t.Fatalf("publish %d refused", from+i)
		}
	}
}

// wantMessages takes what a queue holds and compares it, in order.
func wantMessages(t *testing.T, ch *amqp.Channel, queue string, redelivered bool, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		d, ok, err := ch.Get(queue, false)
		if err != nil || !ok {
			t.Fatalf("queue %s: message %d is missing: %v", queue, i, err)
		}
		if d.MessageId != fmt.Sprint(i) || string(d.Body) != fmt.Sprint("body ", i) || d.Redelivered != redelivered || d.RoutingKey != "k" {
			t.Fatalf("queue %s: got message %s, redelivered %v, want %d, %v", queue, d.MessageId, d.Redelivered, i, redelivered)
		}
		must(t, d.Ack(false))
	}
	if d, ok, err := ch.Get(queue, false); ok || err != nil {
		t.Fatalf("queue %s: got %s more, %v", queue, d.MessageId, err)
	}
}

func TestRestartKeepsWhatIsDurable(t *testing.T) {
	s := start(t)
	ch := s.channel(t)
	must(t, ch.Confirm(false))
	must(t, ch.ExchangeDeclare("in", "fanout", true, false, false, false, nil))
	for _, name := range []string{"a", "b"} {
		durableQueue(t, ch, name)
		must(t, ch.QueueBind(name, "", "in", false, nil))
	}
	queue(t, ch, "transient")
	publishConfirmed(t, ch, "in", 0, 100)
	for range 40 {
		d, _, err := ch.Get("b", false)
		must(t, err)
		must(t, d.Ack(false))
	}
	publish(t, ch, "", "a", "not persistent")
	queue(t, ch, "transient") // all of it has been handled
	must(t, s.stop())

	ch = startIn(t, s.dir).channel(t)
	must(t, ch.ExchangeDeclarePassive("in", "fanout", true, false, false, false, nil))
	wantMessages(t, ch, "a", true, 0, 100)
	wantMessages(t, ch, "b", true, 40, 100)
	must(t, ch.Confirm(false))
	publishConfirmed(t, ch, "in", 100, 110) // the bindings are there, too
	wantMessages(t, ch, "a", false, 100, 110)
	_, err := ch.QueueDeclarePassive("transient", false, false, false, false, nil)
	wantException(t, err, 404, "no queue 'transient'")
}

// TestKilledBrokerKeepsWhatItConfirmed copies the data folder at some moment of
// a running broker, which is what SIGKILL leaves, and opens the copy.
func TestKilledBrokerKeepsWhatItConfirmed(t *testing.T) {
	s := start(t)
	ch := s.channel(t)
	must(t, ch.Confirm(false))
	must(t, ch.ExchangeDeclare("in", "fanout", true, false, false, false, nil))
	durableQueue(t, ch, "q")
	must(t, ch.QueueBind("q", "", "in", false, nil))
	confirmed := 0
	for range 5 {
		publishConfirmed(t, ch, "in", confirmed, confirmed+50)
		confirmed += 50
		copied := t.TempDir()
		must(t, os.CopyFS(copied, os.DirFS(s.dir)))
		wantMessages(t, startIn(t, copied).channel(t), "q", true, 0, confirmed)
	}
}

func TestUnackedComesBackAfterARestart(t *testing.T) {
	s := start(t)
	ch := s.channel(t)
	must(t, ch.Confirm(false))
	must(t, ch.ExchangeDeclare("in", "fanout", true, false, false, false, nil))
	durableQueue(t, ch, "q")
	must(t, ch.QueueBind("q", "", "in", false, nil))
	c := consume(t, ch, "q")
	publishConfirmed(t, ch, "in", 0, 10)
	for i := range 10 {
		d := next(t, c)
		if i%2 == 0 {
			must(t, d.Ack(false))
		}
	}
	queue(t, ch, "") // the acks have been handled
	must(t, s.stop())
	ch = startIn(t, s.dir).channel(t)
	for i := 1; i < 10; i += 2 {
		d, ok, err := ch.Get("q", false)
		if err != nil || !ok || d.MessageId != fmt.Sprint(i) || !d.Redelivered {
			t.Fatalf("got %v %s, %v, want %d", ok, d.MessageId, err, i)
		}
	}
}

func TestColdMessagesAreReadBack(t *testing.T) {
	s := start(t, func(c *broker.Config) { c.MemoryBudget = 1000 })
	ch := s.channel(t)
	must(t, ch.Confirm(false))
	must(t, ch.ExchangeDeclare("in", "fanout", true, false, false, false, nil))
	durableQueue(t, ch, "q")
	must(t, ch.QueueBind("q", "", "in", false, nil))
	publishConfirmed(t, ch, "in", 0, 200)
	wantMessages(t, ch, "q", false, 0, 200)
}

func TestWhatStandsInTheWayIsSaidAtOnce(t *testing.T) {
	s := start(t)
	refused := func(dir, addr string) error {
		t.Helper()
		cfg := broker.DefaultConfig()
		cfg.DataDir, cfg.AMQP = dir, []string{addr}
		b, err := broker.New(cfg, broker.Deps{Logger: logger(t), Registerer: prometheus.NewRegistry()})
		if err == nil {
			b.Close()
			t.Errorf("opened %s on %s", dir, addr)
			return errors.New("")
		}
		return err
	}
	addr := s.Addr().String()
	err := refused(t.TempDir(), addr)
	if want := addr + " is in use by another program: end that one or choose another with --amqp"; err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	err = refused(s.dir, "127.0.0.1:0")
	if locked := new(vfs.LockedError); !errors.As(err, &locked) || !strings.Contains(err.Error(), s.dir) {
		t.Errorf("got %v, want that %s is locked", err, s.dir)
	}
	file := filepath.Join(t.TempDir(), "definitions.db")
	must(t, os.WriteFile(file, []byte("this is not a database"), 0o600))
	if err = refused(filepath.Dir(file), "127.0.0.1:0"); !strings.Contains(err.Error(), file) {
		t.Errorf("got %v, want that %s is damaged", err, file)
	}
	refused(filepath.Join(file, "x"), "127.0.0.1:0") // a folder that cannot be made
}
