package rules

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	promrules "github.com/prometheus/prometheus/rules"
	v1 "github.com/prometheus/prometheus/web/api/v1"
)

// Register puts Prometheus's API for rules and alerts on mux.
func (e *Engine) Register(mux *http.ServeMux) {
	mux.HandleFunc("GET /api/v1/rules", func(w http.ResponseWriter, r *http.Request) {
		f, err := e.filterOf(r.URL.Query())
		if err != nil {
			refuse(w, err)
			return
		}
		answer(w, e.discover(f))
	})
	mux.HandleFunc("GET /api/v1/alerts", func(w http.ResponseWriter, _ *http.Request) {
		all := []*v1.Alert{}
		for _, r := range e.manager.AlertingRules() {
			all = append(all, active(r)...)
		}
		answer(w, v1.AlertDiscovery{Alerts: all})
	})
}

// filter is what a request for rules asks for; an empty list stands for all.
type filter struct {
	names, groups, files []string
	match                [][]*labels.Matcher
	alerting, recording  bool
	noAlerts             bool
}

var errFilter = errors.New("invalid parameter")

func (e *Engine) filterOf(q url.Values) (f filter, err error) {
	f = filter{names: q["rule_name[]"], groups: q["rule_group[]"], files: q["file[]"]}
	switch typ := strings.ToLower(q.Get("type")); typ {
	case "", "alert", "record":
		f.alerting, f.recording = typ != "record", typ != "alert"
	default:
		return f, fmt.Errorf("%w %q: not supported value %q", errFilter, "type", typ)
	}
	if s := q.Get("exclude_alerts"); s != "" {
		if f.noAlerts, err = strconv.ParseBool(s); err != nil {
			return f, fmt.Errorf("%w %q: %w", errFilter, "exclude_alerts", err)
		}
	}
	if f.match, err = e.Set().parser.ParseMetricSelectors(q["match[]"]); err != nil {
		return f, fmt.Errorf("%w %q: %w", errFilter, "match[]", err)
	}
	return f, nil
}

func chosen(from []string, name string) bool { return len(from) == 0 || slices.Contains(from, name) }

func (e *Engine) discover(f filter) v1.RuleDiscovery {
	d := v1.RuleDiscovery{RuleGroups: []*v1.RuleGroup{}}
	for _, g := range e.manager.RuleGroups() {
		if !chosen(f.groups, g.Name()) || !chosen(f.files, g.File()) {
			continue
		}
		out := &v1.RuleGroup{
			Name: g.Name(), File: g.File(), Interval: g.Interval().Seconds(), Limit: g.Limit(),
			EvaluationTime: g.GetEvaluationTime().Seconds(), LastEvaluation: g.GetLastEvaluation(),
		}
		for _, r := range g.Rules(f.match...) {
			if rule := f.rule(r); rule != nil {
				out.Rules = append(out.Rules, rule)
			}
		}
		if len(out.Rules) > 0 {
			d.RuleGroups = append(d.RuleGroups, out)
		}
	}
	return d
}

// rule is how the API shows a rule; nil if it is not asked for.
func (f *filter) rule(r promrules.Rule) v1.Rule {
	failure := ""
	if err := r.LastError(); err != nil {
		failure = err.Error()
	}
	switch r := r.(type) {
	case *promrules.AlertingRule:
		if !f.alerting || !chosen(f.names, r.Name()) {
			return nil
		}
		out := v1.AlertingRule{
			Type: "alerting", State: r.State().String(), Name: r.Name(), Query: r.Query().String(),
			Duration: r.HoldDuration().Seconds(), KeepFiringFor: r.KeepFiringFor().Seconds(),
			Labels: r.Labels(), Annotations: r.Annotations(), Health: r.Health(), LastError: failure,
			EvaluationTime: r.GetEvaluationDuration().Seconds(), LastEvaluation: r.GetEvaluationTimestamp(),
		}
		if !f.noAlerts {
			out.Alerts = active(r)
		}
		return out
	case *promrules.RecordingRule:
		if !f.recording || !chosen(f.names, r.Name()) {
			return nil
		}
		return v1.RecordingRule{
			Type: "recording", Name: r.Name(), Query: r.Query().String(), Labels: r.Labels(),
			Health: r.Health(), LastError: failure,
			EvaluationTime: r.GetEvaluationDuration().Seconds(), LastEvaluation: r.GetEvaluationTimestamp(),
		}
	}
	return nil
}

func active(r *promrules.AlertingRule) []*v1.Alert {
	out := []*v1.Alert{}
	for _, a := range r.ActiveAlerts() {
		shown := &v1.Alert{
			Labels: a.Labels, Annotations: a.Annotations, State: a.State.String(),
			ActiveAt: &a.ActiveAt, Value: strconv.FormatFloat(a.Value, 'e', -1, 64),
		}
		if !a.KeepFiringSince.IsZero() {
			shown.KeepFiringSince = &a.KeepFiringSince
		}
		out = append(out, shown)
	}
	return out
}

// response is the envelope of Prometheus's HTTP API.
type response struct {
	Status    string `json:"status"`
	Data      any    `json:"data,omitempty"`
	ErrorType string `json:"errorType,omitempty"`
	Error     string `json:"error,omitempty"`
}

func answer(w http.ResponseWriter, data any) {
	write(w, http.StatusOK, response{Status: "success", Data: data})
}

func refuse(w http.ResponseWriter, err error) {
	write(w, http.StatusBadRequest, response{Status: "error", ErrorType: "bad_data", Error: err.Error()})
}

func write(w http.ResponseWriter, code int, r response) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(r) // the client is gone: nobody to tell
}
