package alerting

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"thump/alerting/rules"
	"thump/alerting/store"
)

const (
	fillTimeout = 30 * time.Second // of one request
	fillRetry   = 5 * time.Second
	fillFor     = 5 * time.Minute // after that the rules have to do with what arrives
)

// fill copies what the rules look back on from history into a store that is new.
// It is tried in the background: alerting does not need the collector.
func (a *Alerting) fill(ctx context.Context) error {
	if a.cfg.Collector == "" || !a.fresh {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, fillFor)
	defer cancel()
	client, err := api.NewClient(api.Config{Address: a.cfg.Collector})
	if err != nil {
		return fmt.Errorf("alerting's collector %q: %w", a.cfg.Collector, err)
	}
	for ctx.Err() == nil {
		n, err := a.fillFrom(ctx, v1.NewAPI(client))
		if err == nil {
			a.log.Info("store filled from history", "samples", n, "collector", a.cfg.Collector)
			a.rules.WishAll(rules.Start)
			return nil
		}
		a.log.Warn("store not filled from history, trying again", "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(fillRetry):
		}
	}
	return nil
}

func (a *Alerting) fillFrom(ctx context.Context, history v1.API) (filled int, err error) {
	set := a.rules.Set()
	for _, selector := range set.Selectors() {
		n, err := a.fillSelector(ctx, history, selector, set.Lookback())
		if err != nil {
			return filled, err
		}
		filled += n
	}
	return filled, nil
}

func (a *Alerting) fillSelector(ctx context.Context, history v1.API, selector string, back time.Duration) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, fillTimeout)
	defer cancel()
	got, _, err := history.Query(ctx, fmt.Sprintf("%s[%s]", selector, model.Duration(back)), time.Now())
	if err != nil {
		return 0, fmt.Errorf("ask history for %s: %w", selector, err)
	}
	matrix, ok := got.(model.Matrix)
	if !ok {
		return 0, fmt.Errorf("ask history for %s: got a %s", selector, got.Type())
	}
	var samples []store.Sample
	for _, stream := range matrix {
		s := &store.Series{Labels: seriesLabels(stream.Metric)}
		for _, p := range stream.Values {
			samples = append(samples, store.Sample{Series: s, Time: int64(p.Timestamp), Value: float64(p.Value)})
		}
	}
	o, err := a.store.Append(ctx, samples)
	return o.Stored, err
}

func seriesLabels(m model.Metric) labels.Labels {
	b := labels.NewBuilder(labels.EmptyLabels())
	for name, v := range m {
		b.Set(string(name), string(v))
	}
	return b.Labels()
}
