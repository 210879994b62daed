package source

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"thump/dashboard/grafana/history"
)

// resources help the editors. Each takes from and to, in Unix milliseconds (the
// last day by default), and match, selectors to choose by.
func (s *Source) resources() http.Handler {
	mux := http.NewServeMux()
	for path, list := range map[string]lister{
		"/metrics": func(ctx context.Context, q *asked) (any, error) {
			return s.history.Metrics(ctx, q.match, q.from, q.to)
		},
		"/labels": func(ctx context.Context, q *asked) (any, error) {
			return s.history.Labels(ctx, q.match, q.from, q.to)
		},
		"/values": func(ctx context.Context, q *asked) (any, error) {
			return s.history.Values(ctx, q.Get("label"), q.match, q.from, q.to)
		},
		"/hosts": func(ctx context.Context, q *asked) (any, error) {
			return s.history.HostNames(ctx, q.Get("group"), q.from, q.to)
		},
		"/groups": func(ctx context.Context, q *asked) (any, error) {
			return s.history.Groups(ctx, q.from, q.to)
		},
		"/annotations": func(ctx context.Context, q *asked) (any, error) {
			return s.history.Annotations(ctx, history.Alerts{Name: q.Get("name"), Severity: q.Get("severity"),
				Group: q.Get("group"), Host: q.Get("host"), Pending: q.Get("pending") == "true"}, q.from, q.to)
		},
	} {
		mux.Handle("GET "+path, s.serve(list))
	}
	return mux
}

// lister answers one resource.
type lister func(ctx context.Context, q *asked) (any, error)

// asked is what an editor asks.
type asked struct {
	url.Values
	match    []string
	from, to time.Time
}

func (s *Source) serve(list lister) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q := &asked{Values: r.URL.Query(), match: r.URL.Query()["match"]}
		now := time.Now()
		q.from, q.to = moment(q.Get("from"), now.Add(-24*time.Hour)), moment(q.Get("to"), now)
		answer, err := list(r.Context(), q)
		if err != nil {
			reply(w, http.StatusBadGateway, map[string]string{"message": s.history.Explain(err)})
			return
		}
		reply(w, http.StatusOK, answer)
	}
}

func moment(ms string, otherwise time.Time) time.Time {
	n, err := strconv.ParseInt(ms, 10, 64)
	if err != nil {
		return otherwise
	}
	return time.UnixMilli(n)
}

func reply(w http.ResponseWriter, status int, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // Grafana notices itself that it has left
}
