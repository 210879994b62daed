package alerting

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	promrules "github.com/prometheus/prometheus/rules"

	"thump/alerting/notify"
	"thump/internal/revision"
)

// maxBody bounds the body of a request, in bytes.
const maxBody = 1 << 20

// State is an alert as the API shows it.
type State struct {
	Fingerprint string         `json:"fingerprint"`
	State       string         `json:"state"` // pending, firing, or unknown: nothing is known of it any more
	Labels      model.LabelSet `json:"labels"`
	Annotations model.LabelSet `json:"annotations"`
	ActiveAt    time.Time      `json:"activeAt"`
	Value       *float64       `json:"value,omitempty"`
	Ack         *notify.Ack    `json:"ack,omitempty"`
	Silenced    bool           `json:"silenced"`
	Inhibited   bool           `json:"inhibited"`
	Receivers   []string       `json:"receivers"`
}

// register puts alerting's own API on mux.
func (a *Alerting) register(mux *http.ServeMux) {
	mux.HandleFunc("GET /api/alerts", func(w http.ResponseWriter, r *http.Request) { answer(w, a.states(r)) })
	mux.HandleFunc("PUT /api/alerts/acks/{fingerprint}", a.acknowledge)
	mux.HandleFunc("DELETE /api/alerts/acks/{fingerprint}", a.acknowledge)
	mux.HandleFunc("GET /api/alerts/history", a.history)
	mux.HandleFunc("POST /api/alerts/preview", a.preview)
	mux.HandleFunc("POST /api/alerts/test/{receiver}", a.try)
	mux.HandleFunc("GET /api/alerts/windows", func(w http.ResponseWriter, _ *http.Request) { answer(w, a.notifier.Windows()) })
	mux.HandleFunc("PUT /api/alerts/windows/{id}", a.putWindow)
	mux.HandleFunc("DELETE /api/alerts/windows/{id}", a.deleteWindow)
}

// states are the alerts of the rules and those that came over the API.
func (a *Alerting) states(r *http.Request) []State {
	all, place := []State{}, map[model.Fingerprint]int{}
	for _, rule := range a.rules.AlertingRules() {
		for _, x := range rule.ActiveAlerts() {
			set := labelSet(x.Labels)
			s := State{
				Fingerprint: set.Fingerprint().String(), State: x.State.String(), Labels: set, Annotations: labelSet(x.Annotations),
				ActiveAt: x.ActiveAt, Value: finite(x), Receivers: []string{},
			}
			if a.rules.Unknown(rule, x) {
				s.State = "unknown"
			}
			place[set.Fingerprint()] = len(all)
			all = append(all, s)
		}
	}
	for _, f := range a.notifier.Firing(r.Context()) {
		i, ok := place[f.Fingerprint()]
		if !ok {
			i = len(all)
			all = append(all, State{
				Fingerprint: f.Fingerprint().String(), State: "firing", Labels: f.Labels, Annotations: f.Annotations, ActiveAt: f.StartsAt,
			})
		}
		all[i].Ack, all[i].Silenced, all[i].Inhibited, all[i].Receivers = f.Ack, f.Silenced, f.Inhibited, f.Receivers
	}
	slices.SortFunc(all, func(x, y State) int { return x.ActiveAt.Compare(y.ActiveAt) })
	return all
}

// finite is the alert's value, if JSON has it.
func finite(a *promrules.Alert) *float64 {
	if a.Value-a.Value != 0 { // not a number, or infinite
		return nil
	}
	return &a.Value
}

func (a *Alerting) acknowledge(w http.ResponseWriter, r *http.Request) {
	fp, err := model.ParseFingerprint(r.PathValue("fingerprint"))
	if err != nil {
		refuse(w, http.StatusBadRequest, fmt.Errorf("fingerprint: %w", err))
		return
	}
	var ask notify.Ack
	if r.Method == http.MethodPut && !body(w, r, &ask) {
		return
	}
	ask.By, ask.At = revision.Author(r, ask.By), time.Now().UTC()
	c, known := a.firing(r, fp)
	status := "acknowledged"
	if r.Method == http.MethodPut {
		err = a.notifier.Acknowledge(fp, ask)
	} else {
		err, status = a.notifier.Unacknowledge(fp), "unacknowledged"
	}
	if err != nil || !known {
		refuse(w, http.StatusNotFound, errors.Join(err, fmt.Errorf("alert %s", fp)))
		return
	}
	c.Status, c.By, c.Note, c.At = status, ask.By, ask.Note, ask.At
	a.past.add(c)
	answer(w, ask)
}

// firing is a firing alert as a change of it begins.
func (a *Alerting) firing(r *http.Request, fp model.Fingerprint) (Change, bool) {
	for _, f := range a.notifier.Firing(r.Context()) {
		if f.Fingerprint() == fp {
			return changeOf(f.Alert, time.Now()), true
		}
	}
	return Change{}, false
}

// history answers what fired between two times, by default in the last day.
func (a *Alerting) history(w http.ResponseWriter, r *http.Request) {
	q, now := r.URL.Query(), time.Now()
	to, terr := timeOf(q.Get("to"), now)
	from, ferr := timeOf(q.Get("from"), to.Add(-24*time.Hour))
	if err := errors.Join(terr, ferr); err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	host, name := q.Get("host"), q.Get("alertname")
	all, err := a.past.between(from, to, func(c *Change) bool {
		return (host == "" || string(c.Labels["instance"]) == host) && (name == "" || string(c.Labels["alertname"]) == name)
	})
	if err != nil {
		refuse(w, http.StatusInternalServerError, err)
		return
	}
	answer(w, all)
}

func timeOf(s string, unless time.Time) (time.Time, error) {
	if s == "" {
		return unless, nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	var seconds float64
	if err := json.Unmarshal([]byte(s), &seconds); err != nil {
		return unless, fmt.Errorf("time %q: want RFC 3339 or Unix seconds", s)
	}
	return time.UnixMilli(int64(seconds * 1000)), nil
}

func (a *Alerting) preview(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		Labels model.LabelSet `json:"labels"`
	}
	if body(w, r, &ask) {
		answer(w, a.notifier.Preview(r.Context(), ask.Labels))
	}
}

func (a *Alerting) try(w http.ResponseWriter, r *http.Request) {
	trials, err := a.notifier.Try(r.Context(), r.PathValue("receiver"))
	if err != nil {
		refuse(w, http.StatusNotFound, err)
		return
	}
	answer(w, trials)
}

func (a *Alerting) putWindow(w http.ResponseWriter, r *http.Request) {
	var ask notify.Window
	if !body(w, r, &ask) {
		return
	}
	ask.ID, ask.By = r.PathValue("id"), revision.Author(r, ask.By)
	if err := a.notifier.PutWindow(r.Context(), ask); err != nil {
		refuse(w, http.StatusUnprocessableEntity, err)
		return
	}
	answer(w, a.notifier.Windows())
}

func (a *Alerting) deleteWindow(w http.ResponseWriter, r *http.Request) {
	if err := a.notifier.DeleteWindow(r.Context(), r.PathValue("id")); err != nil {
		refuse(w, http.StatusNotFound, err)
		return
	}
	answer(w, a.notifier.Windows())
}

// body reads JSON; if it cannot, it answers why.
func body(w http.ResponseWriter, r *http.Request, into any) bool {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		refuse(w, http.StatusBadRequest, fmt.Errorf("body: %w", err))
		return false
	}
	return true
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client is gone: nobody to tell
}

func refuse(w http.ResponseWriter, code int, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": err.Error()})
}
