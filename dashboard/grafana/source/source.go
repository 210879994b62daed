package source

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/backend/httpclient"
	"github.com/grafana/grafana-plugin-sdk-go/backend/instancemgmt"
	"github.com/grafana/grafana-plugin-sdk-go/backend/resource/httpadapter"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/prometheus/common/model"
	"golang.org/x/sync/errgroup"

	"thump/dashboard/grafana/history"
	"thump/dashboard/grafana/live"
)

// PluginID names the plugin; plugin.json has the same.
const PluginID = "thump-metrics-datasource"

// Source is one configured data source. Grafana makes a new one when its
// settings change, and ends the streams of the old one by itself.
type Source struct {
	backend.CallResourceHandler

	settings *settings
	client   *http.Client
	history  *history.History
	live     *live.Live
}

// New returns the data source of some settings.
func New(ctx context.Context, in backend.DataSourceInstanceSettings) (instancemgmt.Instance, error) {
	s, err := open(ctx, in)
	if err != nil {
		return nil, backend.DownstreamError(fmt.Errorf("data source %q: %w", in.Name, err))
	}
	return s, nil
}

func open(ctx context.Context, in backend.DataSourceInstanceSettings) (*Source, error) {
	set, err := read(ctx, in)
	if err != nil {
		return nil, err
	}
	client, err := httpclient.New(set.http)
	if err != nil {
		return nil, fmt.Errorf("HTTP settings: %w", err)
	}
	h, err := history.Open(in.URL, client)
	if err != nil {
		return nil, err
	}
	// What the plugin writes to standard error is in Grafana's own log.
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	l, err := live.Open(live.Config{URL: set.broker, TLS: set.tls, Name: "grafana " + in.Name}, h, log)
	if err != nil {
		return nil, err
	}
	s := &Source{settings: set, client: client, history: h, live: l}
	s.CallResourceHandler = httpadapter.New(s.resources())
	return s, nil
}

// Dispose implements instancemgmt.InstanceDisposer.
func (s *Source) Dispose() { s.client.CloseIdleConnections() }

// maxQueries is how many queries of one panel run at the same time.
const maxQueries = 8

// QueryData implements backend.QueryDataHandler.
func (s *Source) QueryData(ctx context.Context, req *backend.QueryDataRequest) (*backend.QueryDataResponse, error) {
	answers := make([]backend.DataResponse, len(req.Queries))
	var group errgroup.Group
	group.SetLimit(maxQueries)
	for i := range req.Queries {
		group.Go(func() error {
			answers[i] = s.answer(ctx, &req.Queries[i])
			return nil
		})
	}
	_ = group.Wait() // each answer has its own error
	out := backend.NewQueryDataResponse()
	for i, q := range req.Queries {
		out.Responses[q.RefID] = answers[i]
	}
	return out, nil
}

func (s *Source) answer(ctx context.Context, d *backend.DataQuery) backend.DataResponse {
	q, err := history.NewQuery(d, s.settings.scrape)
	if err != nil {
		return refusal(err)
	}
	if q.Live {
		return s.answerLive(ctx, d.RefID, q)
	}
	return s.history.Answer(ctx, q)
}

func refusal(err error) backend.DataResponse {
	return backend.DataResponse{Status: backend.StatusBadRequest, Error: err, ErrorSource: backend.ErrorSourceDownstream}
}

// answerLive is the past of a panel, and where it goes on. It goes on without the
// past as well.
func (s *Source) answerLive(ctx context.Context, refID string, q *history.Query) backend.DataResponse {
	r := live.Request{Expr: q.Expr, Legend: q.LegendFormat, Key: q.Key, NoBoost: q.NoBoost}
	if q.Interval != "" {
		r.Every = model.Duration(q.Step())
	}
	if err := r.Check(); err != nil {
		return refusal(err)
	}
	address, err := r.Address()
	if err != nil {
		return refusal(err)
	}
	answer := s.history.Answer(ctx, q)
	if answer.Error != nil {
		f := history.Wide(nil, "", "")
		f.RefID = refID
		f.Meta.Notices = []data.Notice{{Severity: data.NoticeSeverityWarning, Text: answer.Error.Error()}}
		answer = backend.DataResponse{Status: backend.StatusOK, Frames: data.Frames{f}}
	}
	answer.Frames[0].Meta.Custom = map[string]any{"resultType": "matrix", "live": address}
	return answer
}

// SubscribeStream implements backend.StreamHandler.
func (s *Source) SubscribeStream(_ context.Context, req *backend.SubscribeStreamRequest) (*backend.SubscribeStreamResponse, error) {
	_, err := live.ReadAddress(req.Path, req.Data)
	switch {
	case errors.Is(err, live.ErrForged):
		return &backend.SubscribeStreamResponse{Status: backend.SubscribeStreamStatusPermissionDenied}, nil
	case err != nil:
		return &backend.SubscribeStreamResponse{Status: backend.SubscribeStreamStatusNotFound}, nil
	}
	return &backend.SubscribeStreamResponse{Status: backend.SubscribeStreamStatusOK}, nil
}

// PublishStream implements backend.StreamHandler: a panel publishes nothing.
func (s *Source) PublishStream(context.Context, *backend.PublishStreamRequest) (*backend.PublishStreamResponse, error) {
	return &backend.PublishStreamResponse{Status: backend.PublishStreamStatusPermissionDenied}, nil
}

// RunStream implements backend.StreamHandler. Every frame goes with its schema,
// since somebody may have joined since the last one.
func (s *Source) RunStream(ctx context.Context, req *backend.RunStreamRequest, sender *backend.StreamSender) error {
	r, err := live.ReadAddress(req.Path, json.RawMessage(req.Data))
	if err != nil {
		return err
	}
	return s.live.Run(ctx, r, func(f *data.Frame) error { return sender.SendFrame(f, data.IncludeAll) })
}
