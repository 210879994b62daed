package dashboard

import "strconv"

// allHosts is the stream of the overview. No host has an empty name.
const allHosts = ""

// hub hands events to browsers. Its methods are called under the Dashboard's
// lock and never block.
type hub struct {
	cfg      Config
	metrics  *metrics
	id       uint64 // of the last event
	browsers int
	by       map[string]map[*browser]struct{} // by the host they watch, or allHosts
}

// browser is one open stream.
type browser struct {
	host   string
	frames chan []byte // sent to under the Dashboard's lock only
	lost   bool        // guarded by the Dashboard's lock: the last snapshot does not lead to what is now
}

func newHub(cfg Config, m *metrics) *hub {
	return &hub{cfg: cfg, metrics: m, by: map[string]map[*browser]struct{}{}}
}

// join adds a browser; nil if there are too many.
func (h *hub) join(host string) *browser {
	if h.browsers >= h.cfg.MaxBrowsers {
		h.metrics.refused.Inc()
		return nil
	}
	b := &browser{host: host, frames: make(chan []byte, h.cfg.BrowserQueue)}
	if h.by[host] == nil {
		h.by[host] = map[*browser]struct{}{}
	}
	h.by[host][b] = struct{}{}
	h.browsers++
	h.metrics.browsers.Set(float64(h.browsers))
	return b
}

func (h *hub) leave(b *browser) {
	delete(h.by[b.host], b)
	if len(h.by[b.host]) == 0 {
		delete(h.by, b.host)
	}
	h.browsers--
	h.metrics.browsers.Set(float64(h.browsers))
}

// watchers are the browsers that watch one host, or allHosts.
func (h *hub) watchers(host string) map[*browser]struct{} { return h.by[host] }

// watched are the hosts that somebody watches.
func (h *hub) watched() (hosts []string) {
	for host := range h.by {
		if host != allHosts {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// send queues one event, encoded once, for some browsers.
func (h *hub) send(to map[*browser]struct{}, event string, data []byte) {
	f := h.frame(event, data)
	for b := range to {
		h.queue(b, f)
	}
}

// renew has those who watch a host, or all of them, get a snapshot with the next
// event, which is a pulse if nothing comes before.
func (h *hub) renew(host string) {
	for b := range h.watchers(host) {
		b.lost = true
	}
}

// sendAll queues an event for every browser.
func (h *hub) sendAll(event string, v any) {
	if h.browsers == 0 {
		return
	}
	f := h.frame(event, mustJSON(v))
	for _, to := range h.by {
		for b := range to {
			h.queue(b, f)
		}
	}
}

// sendRows tells the overview, and those who watch one of them, of hosts whose
// rows have changed.
func (h *hub) sendRows(changed []*host) {
	if len(changed) == 0 {
		return
	}
	if to := h.watchers(allHosts); len(to) > 0 {
		h.send(to, "hosts", mustJSON(rowsOf(changed...)))
	}
	for _, one := range changed {
		if to := h.watchers(one.name); len(to) > 0 {
			h.send(to, "hosts", mustJSON(rowsOf(one)))
		}
	}
}

// frame is an event as it stands in the stream.
func (h *hub) frame(event string, data []byte) []byte {
	h.id++
	b := make([]byte, 0, len(data)+64)
	b = strconv.AppendUint(append(b, "id: "...), h.id, 10)
	b = append(append(b, "\nevent: "...), event...)
	b = append(append(b, "\ndata: "...), data...)
	return append(b, "\n\n"...)
}

// queue drops the oldest waiting event of a browser that is slow: the lock makes
// this the only sender, so that the loop ends.
func (h *hub) queue(b *browser, f []byte) {
	h.metrics.sent.Inc()
	for {
		select {
		case b.frames <- f:
			return
		default:
		}
		select {
		case <-b.frames:
			b.lost = true
			h.metrics.dropped.Inc()
		default:
		}
	}
}
