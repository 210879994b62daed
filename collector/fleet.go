package collector

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"thump/collector/templates"
	"thump/internal/bus"
	"thump/internal/control"
	"thump/internal/telemetry"
)

// host is an element of the answer of /api/hosts.
type host struct {
	Name            string    `json:"name"`
	Group           string    `json:"group"`
	IntervalSeconds float64   `json:"interval_seconds"`
	LastSeen        time.Time `json:"last_seen"`
	Silent          bool      `json:"silent"`
	LagSeconds      float64   `json:"lag_seconds"` // age of its newest message when it was stored
	// What of it history does not take, of late; nil if there is nothing.
	Refused *refusedShown `json:"refused,omitempty"`
	// What its agent has said of itself; nil if it has not, such as a script.
	Agent *agent `json:"agent,omitempty"`
}

// refusedShown is what was refused of a host.
type refusedShown struct {
	Samples map[string]uint64 `json:"samples"` // by reason, since the collector's start
	Last    time.Time         `json:"last"`
}

func (c *Collector) refusedOf(host string) *refusedShown {
	r := c.refusals.of(host)
	if r == nil {
		return nil
	}
	return &refusedShown{r.samples, r.last.UTC()}
}

// agent is what an agent says of itself.
type agent struct {
	Groups   []string          `json:"groups"`
	Labels   map[string]string `json:"labels"`
	Version  string            `json:"version"`
	OS       string            `json:"os"`
	Arch     string            `json:"arch"`
	Reported time.Time         `json:"reported"`
	Template applied           `json:"template"`
	Spool    control.Spool     `json:"spool"`
}

// applied is the template that an agent applies, and the one it is to have.
type applied struct {
	Revision string            `json:"revision"`
	Wanted   string            `json:"wanted"`
	Refused  []control.Refusal `json:"refused"`
}

func shown(s *state) host {
	h := host{
		Name: s.Name, Group: s.Group, IntervalSeconds: s.Interval.Seconds(), LastSeen: s.LastSeen.UTC(),
		Silent: s.Silent, LagSeconds: s.Lag.Seconds(),
	}
	if s.Reported.IsZero() {
		return h
	}
	r := &s.Report
	h.Agent = &agent{
		Groups: r.Groups, Labels: orEmpty(r.Labels), Version: r.Version, OS: r.OS, Arch: r.Arch, Reported: s.Reported.UTC(),
		Template: applied{r.Revision, s.Wanted, append([]control.Refusal{}, r.Refused...)}, Spool: r.Spool,
	}
	return h
}

func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// registerFleet serves the inventory and the templates.
func (c *Collector) registerFleet(mux *http.ServeMux) {
	mux.HandleFunc("GET /api/hosts", c.serveHosts)
	mux.HandleFunc("DELETE /api/hosts/{name}", c.serveRetire)
	mux.HandleFunc("GET /api/hosts/{name}/template", c.serveTemplate)
	mux.HandleFunc("GET /api/templates", c.serveTemplates)
}

// serveHosts answers with the hosts, sorted by name.
func (c *Collector) serveHosts(w http.ResponseWriter, _ *http.Request) {
	answer := []host{}
	for _, s := range c.hosts.states() {
		h := shown(&s)
		h.Refused = c.refusedOf(s.Name)
		answer = append(answer, h)
	}
	writeJSON(w, http.StatusOK, answer)
}

// serveRetire forgets a host, until it reports again.
func (c *Collector) serveRetire(w http.ResponseWriter, r *http.Request) {
	name, now := r.PathValue("name"), time.Now()
	group, known := c.hosts.knows(name)
	if !known {
		writeError(w, http.StatusNotFound, "not_found", "no such host")
		return
	}
	// Told first: after a failure the host is still here, to be retired again.
	if err := c.tellRetired(r.Context(), &control.Retired{Host: name, Group: group, At: now.UTC()}); err != nil {
		writeError(w, http.StatusServiceUnavailable, "unavailable", "not retired, alerting and dashboards cannot be told: "+err.Error())
		return
	}
	c.hosts.retire(name, now)
	c.refusals.forget(name)
	// On disk before the answer: a retired host does not come back by a restart.
	if err := c.inventory.write(c.hosts.keep(now)); err != nil {
		c.log.Error("inventory not kept", "err", err)
		writeError(w, http.StatusInternalServerError, "internal", err.Error())
		return
	}
	c.log.Info("host retired", "host", name)
	w.WriteHeader(http.StatusNoContent)
}

// tellRetired returns once the broker has the message for all who listen.
func (c *Collector) tellRetired(ctx context.Context, r *control.Retired) error {
	m, err := control.EncodeRetired(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, tellWithin)
	defer cancel()
	err = c.bus.Publish(ctx, telemetry.ControlExchange, m)
	if errors.Is(err, bus.ErrUnroutable) { // nobody listens
		return nil
	}
	return err
}

// serveTemplate answers with what one host is to do, and which line of which
// file says so.
func (c *Collector) serveTemplate(w http.ResponseWriter, r *http.Request) {
	s, ok := c.hosts.state(r.PathValue("name"))
	if !ok {
		writeError(w, http.StatusNotFound, "not_found", "no such host")
		return
	}
	set, _ := c.steering.folder.Set()
	if set == nil {
		writeError(w, http.StatusServiceUnavailable, "unavailable", "no good set of templates was read since the start")
		return
	}
	h := s.matchable()
	writeJSON(w, http.StatusOK, struct {
		Host string `json:"host"`
		templates.Effective
		Applied applied `json:"applied"`
	}{s.Name, set.For(&h), applied{s.Report.Revision, s.Wanted, append([]control.Refusal{}, s.Report.Refused...)}})
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	// The status is out: a client that has gone is all that can fail here.
	_ = json.NewEncoder(w).Encode(v)
}

// writeError answers as the Prometheus API answers an error.
func writeError(w http.ResponseWriter, code int, kind, reason string) {
	writeJSON(w, code, map[string]string{"status": "error", "errorType": kind, "error": reason})
}
