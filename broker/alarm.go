package broker

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"thump/broker/amqp"
	"thump/broker/journal"
)

// alarmInterval is how often the broker looks whether memory or disk are short.
const alarmInterval = 100 * time.Millisecond

// alarm says whether publishers have to wait, as RabbitMQ's resource alarms do.
type alarm struct {
	on atomic.Bool // reason is not ""; for a look in passing

	mu      sync.Mutex
	reason  string        // "": none
	lifted  chan struct{} // closed when the alarm that is on goes off; nil without one
	stopped bool          // the broker ends: nobody waits any more
}

// state returns why publishers wait and what tells that they need not any more;
// "" if they need not.
func (a *alarm) state() (reason string, lifted <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.reason, a.lifted
}

// set turns the alarm on, or with "" off, and reports whether that is news.
func (a *alarm) set(reason string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopped || reason == a.reason {
		return false
	}
	switch {
	case reason == "":
		close(a.lifted)
		a.lifted = nil
	case a.reason == "":
		a.lifted = make(chan struct{})
	}
	a.reason = reason
	a.on.Store(reason != "")
	return true
}

// stop lets all go on: the broker ends.
func (a *alarm) stop() {
	a.set("")
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stopped = true
}

// watchAlarms runs until ctx ends.
func (b *Broker) watchAlarms(ctx context.Context) {
	defer b.alarm.stop()
	ticks := time.NewTicker(alarmInterval)
	defer ticks.Stop()
	for {
		b.checkAlarms()
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
	}
}

// checkAlarms turns the alarm on or off and tells the publishers that are idle;
// the others learn it before their next publish is read.
func (b *Broker) checkAlarms() {
	reason := b.shortOf()
	if !b.alarm.set(reason) {
		return
	}
	if reason == "" {
		b.log.Info("publishers may go on")
		b.metrics.blocked.Set(0)
	} else {
		b.log.Warn("publishers are blocked", "reason", reason)
		b.metrics.blocked.Set(1)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.connections {
		c.notifyAlarm(reason)
	}
}

// shortOf returns what is short, in RabbitMQ's words; "" if nothing is.
func (b *Broker) shortOf() string {
	var short []string
	memory, full := b.storage.pressure()
	if memory > int64(b.config.MemoryWatermark) {
		short = append(short, "low on memory")
	}
	if full {
		short = append(short, "low on disk")
	}
	return strings.Join(short, " & ")
}

// notifyAlarm sends connection.blocked or connection.unblocked to a publisher
// that understands it. RabbitMQ extension.
func (c *connection) notifyAlarm(reason string) {
	if !c.opened.Load() || !c.published.Load() || !c.can("connection.blocked") {
		return
	}
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if on := reason != ""; on != c.out.blocked {
		c.out.blocked = on
		if on {
			c.out.sendLocked(0, &amqp.ConnectionBlocked{Reason: reason})
		} else {
			c.out.sendLocked(0, &amqp.ConnectionUnblocked{})
		}
	}
}

// waitForAlarm holds the reader of a publisher while memory or disk are short:
// nothing more is read from it.
func (c *connection) waitForAlarm() {
	if !c.published.Load() {
		return
	}
	for {
		reason, lifted := c.broker.alarm.state()
		if reason == "" {
			return
		}
		c.notifyAlarm(reason)
		c.paused.Store(true)
		select {
		case <-lifted:
		case <-c.out.gone:
		}
		c.paused.Store(false)
		if c.out.isEnding() {
			return
		}
	}
}

// holdBack waits, before a publish is taken, while memory or disk are short.
func (ch *channel) holdBack() {
	ch.conn.published.Store(true)
	ch.conn.flushBurst()
	ch.conn.waitForAlarm()
}

// waitForDisk waits until the disk is no longer full and reports whether to
// publish again: the journal has refused the message before any queue took it.
func (ch *channel) waitForDisk(err error) bool {
	if err == nil || !errors.Is(err, journal.ErrDiskFull) || ch.conn.out.isEnding() {
		return false
	}
	ch.conn.flushBurst()
	ch.conn.broker.checkAlarms()
	ch.conn.waitForAlarm()
	return !ch.conn.out.isEnding()
}
