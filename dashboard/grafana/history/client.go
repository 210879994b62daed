package history

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

// History is a collector, or any Prometheus, to ask.
type History struct {
	api v1.API
	url string
}

// Open returns the history at a URL, asked through a client that knows the login.
func Open(address string, client *http.Client) (*History, error) {
	u, err := url.Parse(strings.TrimRight(strings.TrimSpace(address), "/"))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("the URL %q of history is not one such as http://127.0.0.1:8420", address)
	}
	c, err := api.NewClient(api.Config{Address: u.String(), Client: client})
	if err != nil {
		return nil, fmt.Errorf("open history: %w", err)
	}
	return &History{api: v1.NewAPI(c), url: u.Redacted()}, nil
}

// URL is where history is, without a password.
func (h *History) URL() string { return h.url }

// Answer runs one query of a panel.
func (h *History) Answer(ctx context.Context, q *Query) backend.DataResponse {
	frames, err := h.frames(ctx, q)
	if err != nil {
		return h.refusal(err)
	}
	return backend.DataResponse{Status: backend.StatusOK, Frames: frames}
}

func (h *History) frames(ctx context.Context, q *Query) (data.Frames, error) {
	if q.Expr == "" { // of the type annotations
		return h.annotationFrames(ctx, q)
	}
	var all data.Frames
	for _, part := range []struct {
		wanted bool
		ask    func(context.Context, *Query) (data.Frames, error)
	}{{q.Range, h.overRange}, {q.Instant, h.atOnce}, {q.Exemplar, h.exemplars}} {
		if !part.wanted {
			continue
		}
		frames, err := part.ask(ctx, q)
		if err != nil {
			return nil, err
		}
		all = append(all, frames...)
	}
	return all, nil
}

func (h *History) overRange(ctx context.Context, q *Query) (data.Frames, error) {
	value, warnings, err := h.api.QueryRange(ctx, q.Expr, v1.Range{Start: q.from, End: q.to, Step: q.step})
	if err != nil {
		return nil, err
	}
	return q.shape(value, warnings), nil
}

func (h *History) atOnce(ctx context.Context, q *Query) (data.Frames, error) {
	value, warnings, err := h.api.Query(ctx, q.Expr, q.moment)
	if err != nil {
		return nil, err
	}
	return q.shape(value, warnings), nil
}

// Raw returns the samples themselves of the series that a selector names, of the
// time before an end.
func (h *History) Raw(ctx context.Context, selector string, span time.Duration, end time.Time) (model.Matrix, error) {
	value, _, err := h.api.Query(ctx, fmt.Sprintf("%s[%s]", selector, model.Duration(span)), end)
	if err != nil {
		return nil, errors.New(h.Explain(err))
	}
	m, ok := value.(model.Matrix)
	if !ok {
		return nil, fmt.Errorf("history answers with a %s instead of samples", value.Type())
	}
	return m, nil
}

// Version asks what answers.
func (h *History) Version(ctx context.Context) (string, error) {
	info, err := h.api.Buildinfo(ctx)
	if err != nil {
		return "", errors.New(h.Explain(err))
	}
	return info.Version, nil
}

// Hosts counts those that report.
func (h *History) Hosts(ctx context.Context) (int, error) {
	value, _, err := h.api.Query(ctx, `count(up{job="node"} == 1)`, time.Now())
	if err != nil {
		return 0, errors.New(h.Explain(err))
	}
	if v, ok := value.(model.Vector); ok && len(v) == 1 {
		return int(v[0].Value), nil
	}
	return 0, nil
}
