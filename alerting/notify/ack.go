package notify

import (
	"errors"
	"time"

	"github.com/prometheus/common/model"
)

// Ack is that somebody takes care of an alert: until it ends nobody is told again
// that it fires.
type Ack struct {
	By   string    `json:"by"`
	Note string    `json:"note,omitempty"`
	At   time.Time `json:"at"`
}

// ErrNotFiring refuses an acknowledgement of an alert that does not fire.
var ErrNotFiring = errors.New("no such alert fires")

// Acknowledge notes that somebody takes care of a firing alert.
func (n *Notifier) Acknowledge(fp model.Fingerprint, a Ack) error {
	if !n.ledger.acknowledge(fp, &a) {
		return ErrNotFiring
	}
	n.noted()
	n.gossipAcks()
	return nil
}

// Unacknowledge takes that back.
func (n *Notifier) Unacknowledge(fp model.Fingerprint) error {
	if !n.ledger.acknowledge(fp, nil) {
		return ErrNotFiring
	}
	n.noted()
	return nil
}

// acknowledge sets, or with nil takes away, the acknowledgement of a firing
// alert; it is false if it does not fire.
func (l *ledger) acknowledge(fp model.Fingerprint, a *Ack) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.firing[fp] == nil {
		return false
	}
	if a == nil {
		delete(l.acks, fp)
	} else {
		l.acks[fp] = *a
	}
	return true
}

func (l *ledger) acknowledged(fp model.Fingerprint) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.acks[fp]
	return ok
}

// told tells whether the pipeline was given the alert while it fired.
func (l *ledger) told(fp model.Fingerprint) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.toldAt[fp].IsZero()
}

// tell notes that it is, and tells whether that is new.
func (l *ledger) tell(fp model.Fingerprint) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.toldAt[fp].IsZero() {
		return false
	}
	l.toldAt[fp] = time.Now()
	return true
}
