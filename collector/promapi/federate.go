package promapi

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/util/httputil"
)

// lookback is how old the last sample of a series may be, as for queries.
const lookback = 5 * time.Minute

// federation serves the last sample of matching series as Prometheus' /federate
// does, for another Prometheus to scrape.
type federation struct {
	storage storage.Queryable
	log     *slog.Logger
	parser  parser.Parser
}

// NewFederation returns the handler of /federate.
func NewFederation(s storage.Queryable, log *slog.Logger) http.Handler {
	return httputil.CompressionHandler{Handler: &federation{s, log, parser.NewParser(parser.Options{})}}
}

// ServeHTTP implements http.Handler.
func (f *federation) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if err := req.ParseForm(); err != nil {
		http.Error(w, "error parsing form values: "+err.Error(), http.StatusBadRequest)
		return
	}
	selectors, err := f.parser.ParseMetricSelectors(req.Form["match[]"])
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	families, err := f.last(req, selectors, time.Now())
	switch {
	case errors.Is(err, tsdb.ErrNotReady):
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	format := expfmt.NegotiateAccept(req.Header, expfmt.DefaultAcceptedFormats()...)
	w.Header().Set("Content-Type", string(format))
	enc := expfmt.NewEncoder(w, format)
	for _, family := range families {
		if err := enc.Encode(family); err != nil {
			f.log.Debug("federation ended early", "err", err)
			return
		}
	}
}

// last reads the newest sample of each series, by metric.
func (f *federation) last(req *http.Request, selectors [][]*labels.Matcher, now time.Time) (families []*dto.MetricFamily, err error) {
	mint, maxt := now.Add(-lookback).UnixMilli(), now.UnixMilli()
	q, err := f.storage.Querier(mint, maxt)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, q.Close()) }()
	var sets []storage.SeriesSet
	for _, matchers := range selectors {
		sets = append(sets, q.Select(req.Context(), true, &storage.SelectHints{Start: mint, End: maxt}, matchers...))
	}
	byName := map[string]*dto.MetricFamily{}
	set := storage.NewMergeSeriesSet(sets, 0, storage.ChainedSeriesMerge)
	var it chunkenc.Iterator
	for set.Next() {
		it = set.At().Iterator(it)
		m, err := newest(it)
		if err != nil {
			return nil, err
		}
		if m != nil {
			add(byName, set.At().Labels(), m)
		}
	}
	if set.Err() != nil {
		return nil, fmt.Errorf("read series: %w", set.Err())
	}
	for _, family := range byName {
		families = append(families, family)
	}
	slices.SortFunc(families, func(a, b *dto.MetricFamily) int { return strings.Compare(a.GetName(), b.GetName()) })
	return families, nil
}

// newest is the last float of a series; nil if there is none, or if the series
// has ended.
func newest(it chunkenc.Iterator) (*dto.Metric, error) {
	last, at := math.Float64frombits(value.StaleNaN), int64(0)
	for typ := it.Next(); typ != chunkenc.ValNone; typ = it.Next() {
		if typ == chunkenc.ValFloat {
			at, last = it.At()
		}
	}
	if it.Err() != nil || value.IsStaleNaN(last) {
		return nil, it.Err()
	}
	return &dto.Metric{TimestampMs: &at, Untyped: &dto.Untyped{Value: &last}}, nil
}

func add(byName map[string]*dto.MetricFamily, ls labels.Labels, m *dto.Metric) {
	name := ls.Get(model.MetricNameLabel)
	family := byName[name]
	if family == nil {
		family = &dto.MetricFamily{Name: &name, Type: dto.MetricType_UNTYPED.Enum()}
		byName[name] = family
	}
	instance := false
	ls.Range(func(l labels.Label) {
		if l.Name != model.MetricNameLabel {
			m.Label = append(m.Label, &dto.LabelPair{Name: &l.Name, Value: &l.Value})
			instance = instance || l.Name == "instance"
		}
	})
	if !instance { // so that the scraper does not give it its own
		m.Label = append(m.Label, &dto.LabelPair{Name: new("instance"), Value: new("")})
	}
	family.Metric = append(family.Metric, m)
}
