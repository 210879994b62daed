package dashboard

import (
	"net/http"
	"time"
)

const (
	// heartbeatEvery keeps proxies from ending a stream as idle.
	heartbeatEvery = 15 * time.Second
	// writeWithin is how long a browser may take nothing before it is given up.
	writeWithin = 30 * time.Second
	// retryAfter is how long a browser waits before it connects again.
	retryAfter = "retry: 2000\n\n"
)

// serveLive streams events to one browser until it leaves or Run ends.
func (d *Dashboard) serveLive(w http.ResponseWriter, r *http.Request) {
	b, first := d.join(r.URL.Query().Get("host"))
	if b == nil {
		w.Header().Set("Retry-After", "10")
		refuse(http.StatusServiceUnavailable, "too many browsers follow the stream (max_browsers)").ServeHTTP(w, r)
		return
	}
	defer d.leave(b)
	header := w.Header()
	header.Set("Content-Type", "text/event-stream; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no") // nginx: pass events on at once
	header.Set("X-Content-Type-Options", "nosniff")
	s := stream{w: w, control: http.NewResponseController(w)}
	if s.write([]byte(retryAfter), first) != nil {
		return
	}
	d.follow(r, b, &s)
}

// follow writes what is queued for b; an error ends it, since it means that the
// browser is gone.
func (d *Dashboard) follow(r *http.Request, b *browser, s *stream) {
	heartbeat := time.NewTicker(heartbeatEvery)
	defer heartbeat.Stop()
	var err error
	for err == nil {
		select {
		case <-r.Context().Done():
			return
		case <-d.closing:
			return
		case f := <-b.frames:
			err = s.write(f, d.next(b))
		case <-heartbeat.C:
			err = s.write([]byte(": heartbeat\n\n"))
		}
	}
}

// join adds a browser and takes its first snapshot in one step, so that nothing
// is missing between the snapshot and the events that follow.
func (d *Dashboard) join(host string) (*browser, []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	b := d.hub.join(host)
	if b == nil {
		return nil, nil
	}
	return b, d.snapshot(host)
}

func (d *Dashboard) leave(b *browser) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hub.leave(b)
}

func (d *Dashboard) snapshot(host string) []byte {
	return d.hub.frame("snapshot", mustJSON(d.fleet.snapshot(host, d.link, time.Now())))
}

// next takes all that waits for b. A browser that has lost events and caught up
// gets a snapshot behind them.
func (d *Dashboard) next(b *browser) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []byte
	for {
		select {
		case f := <-b.frames:
			all = append(all, f...)
			continue
		default:
		}
		if b.lost {
			b.lost = false
			all = append(all, d.snapshot(b.host)...)
		}
		return all
	}
}

// stream writes to one browser.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

// write sends some events and flushes. A server that knows no deadlines leaves
// it to the connection to fail.
func (s *stream) write(frames ...[]byte) error {
	_ = s.control.SetWriteDeadline(time.Now().Add(writeWithin))
	for _, f := range frames {
		if _, err := s.w.Write(f); err != nil {
			return err
		}
	}
	return s.control.Flush()
}
