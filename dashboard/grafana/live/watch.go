package live

import (
	"context"
	"errors"
	"sync"

	"thump/internal/bus"
	"thump/internal/telemetry"
)

// watch is what a stream knows of its subscription. The link and the bus tell it,
// from their goroutines; the stream is woken and looks.
type watch struct {
	wake chan struct{} // holds one

	mu    sync.Mutex
	err   error // why nothing arrives; guarded by mu
	taken int   // how often the subscription was taken up; guarded by mu
}

func newWatch() *watch { return &watch{wake: make(chan struct{}, 1)} }

// subscription is the queue of a key: exclusive, named by the broker, and gone
// with whoever reads it. While he is slow the oldest messages go.
func (w *watch) subscription(key string) bus.Subscription {
	return bus.Subscription{
		Args:        telemetry.Live().Args,
		Bindings:    []bus.Binding{{Source: telemetry.TopicExchange, Key: key}},
		NoAck:       true,
		Taken:       w.up,
		Interrupted: w.interrupted,
	}
}

func (w *watch) up() {
	w.tell(func() { w.err, w.taken = nil, w.taken+1 })
}

// down is news of the link, which says more than what follows from it.
func (w *watch) down(err error) { w.tell(func() { w.err = err }) }

func (w *watch) interrupted(err error) {
	w.tell(func() {
		if w.err == nil {
			w.err = err
		}
	})
}

func (w *watch) tell(what func()) {
	w.mu.Lock()
	what()
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *watch) look() (taken int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.taken, w.err
}

// await waits until the subscription is taken up, or refused.
func (w *watch) await(ctx context.Context) error {
	for {
		select {
		case <-w.wake:
		case <-ctx.Done():
			return errors.New("it does not answer in time")
		}
		if taken, err := w.look(); taken > 0 || err != nil {
			return err
		}
	}
}
