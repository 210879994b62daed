package history

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/backend/gtime"
	"github.com/prometheus/common/model"
)

// Formats of an answer.
const (
	TimeSeries = "time_series"
	Table      = "table"
	Heatmap    = "heatmap"
)

// Query is what a panel asks.
type Query struct {
	Expr           string `json:"expr"`
	Range          bool   `json:"range"`
	Instant        bool   `json:"instant"`
	Exemplar       bool   `json:"exemplar"`
	Format         string `json:"format"`
	LegendFormat   string `json:"legendFormat"`
	Interval       string `json:"interval"` // the least step; "" for what the panel is wide
	IntervalFactor int64  `json:"intervalFactor"`
	UTCOffset      int64  `json:"utcOffsetSec"` // to which steps of a day and more are aligned

	// Of a panel that goes on live.
	Live    bool   `json:"live"`
	Key     string `json:"key"`
	NoBoost bool   `json:"noBoost"`

	Alerts Alerts `json:"alerts"` // of the query type annotations

	refID    string
	from, to time.Time // aligned to the step
	moment   time.Time // of an instant query, which is not
	step     time.Duration
}

// AnnotationType is the query type that asks for alerts of the past.
const AnnotationType = "annotations"

// NewQuery reads a query and replaces in it what depends on the panel's range and
// width. Scrape is how often hosts usually measure.
func NewQuery(q *backend.DataQuery, scrape time.Duration) (*Query, error) {
	var out Query
	if err := json.Unmarshal(q.JSON, &out); err != nil {
		return nil, fmt.Errorf("read the query: %w", err)
	}
	out.refID, out.from, out.to, out.moment = q.RefID, q.TimeRange.From, q.TimeRange.To, q.TimeRange.To
	if q.QueryType == AnnotationType {
		return &out, nil
	}
	if out.Live || !out.Instant {
		out.Range = true
	}
	if out.Live { // goes on from its past, and that is all
		out.Instant, out.Exemplar, out.Format = false, false, TimeSeries
	}
	if strings.TrimSpace(out.Expr) == "" {
		return nil, fmt.Errorf("the query has no expression")
	}
	if err := out.place(q, scrape); err != nil {
		return nil, err
	}
	return &out, nil
}

// Step is the time between two points.
func (q *Query) Step() time.Duration { return q.step }

// maxPoints is the resolution above which Prometheus refuses a query.
const maxPoints = 11_000

// place sets step and range, and replaces the macros.
func (q *Query) place(d *backend.DataQuery, scrape time.Duration) error {
	least, given, err := q.leastStep(d, scrape)
	if err != nil {
		return err
	}
	span := d.TimeRange.Duration()
	q.step = max(least, rounded(span, d.MaxDataPoints), rounded(span, maxPoints))
	rate := rateInterval(q.step, given)
	if q.rateSteps() {
		q.step = rate
	}
	q.Expr = macros(q.step, rate, span).Replace(q.Expr)
	q.step *= time.Duration(max(q.IntervalFactor, 1))
	q.align()
	return nil
}

// leastStep is the step below which the panel does not go, and the interval of
// measurements from which $__rate_interval is made.
func (q *Query) leastStep(d *backend.DataQuery, scrape time.Duration) (least, given time.Duration, err error) {
	if q.Interval == "" || strings.Contains(q.Interval, "__") {
		return max(d.Interval, time.Millisecond), scrape, nil
	}
	least, err = gtime.ParseIntervalStringToTimeDuration(q.Interval)
	if err != nil || least <= 0 {
		return 0, 0, fmt.Errorf("min step %q is not a duration such as 15s or 1m", q.Interval)
	}
	return least, least, nil
}

// rateSteps tells whether the user wants $__rate_interval between two points.
func (q *Query) rateSteps() bool { return strings.Contains(q.Interval, "__rate_interval") }

// rounded is a round step that gives about so many points.
func rounded(span time.Duration, points int64) time.Duration {
	if points <= 0 {
		return 0
	}
	return gtime.RoundInterval(span / time.Duration(points))
}

// rateInterval holds at least four measurements, so that a rate has two of them
// when one is missing.
func rateInterval(step, scrape time.Duration) time.Duration { return max(step+scrape, 4*scrape) }

// macros replaces Grafana's variables; the longer of two names comes first.
func macros(step, rate, span time.Duration) *strings.Replacer {
	span = max(span.Round(time.Second), time.Second)
	var pairs []string
	for _, m := range []struct{ name, value string }{
		{"__rate_interval_ms", milliseconds(rate)},
		{"__rate_interval", model.Duration(rate).String()},
		{"__interval_ms", milliseconds(step)},
		{"__interval", model.Duration(step).String()},
		{"__range_ms", milliseconds(span)},
		{"__range_s", strconv.FormatInt(int64(span/time.Second), 10)},
		{"__range", strconv.FormatInt(int64(span/time.Second), 10) + "s"},
	} {
		pairs = append(pairs, "${"+m.name+"}", m.value, "$"+m.name, m.value)
	}
	return strings.NewReplacer(pairs...)
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// align puts both ends on multiples of the step, so that a panel that is drawn
// again shows the same points.
func (q *Query) align() {
	offset := time.Duration(q.UTCOffset) * time.Second
	on := func(t time.Time) time.Time {
		n := t.Add(offset).UnixMilli()
		return time.UnixMilli(n - n%q.step.Milliseconds()).Add(-offset).UTC()
	}
	q.from, q.to = on(q.from), on(q.to)
}
