package collector

import (
	"errors"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"

	"thump/internal/config"
	"thump/internal/telemetry"
)

// Limits are what one host may bring, so that none of them harms the others.
// Messages that name no host have those of labels alone.
type Limits struct {
	// Series that a host sends within an hour. Default 50,000.
	Series int `yaml:"series" flag:"host-series" usage:"series that one host may send within an hour"`
	// Labels of one series, its name included. Default 64.
	Labels int `yaml:"labels" flag:"host-labels" usage:"labels that one series may have"`
	// LabelLength is that of name and value together. Default 4KiB.
	LabelLength config.Bytes `yaml:"label_length" flag:"host-label-length" usage:"length of name and value of a label"`
	// SamplesPerSecond of a host, with a burst of ten seconds' worth; what an agent
	// sends after an outage counts too. Default 50,000.
	SamplesPerSecond int `yaml:"samples_per_second" flag:"host-samples-per-second" usage:"samples that one host may send per second, in the mean of ten"`
}

// DefaultLimits are far above what an agent sends.
func DefaultLimits() Limits {
	return Limits{Series: 50_000, Labels: 64, LabelLength: 4 << 10, SamplesPerSecond: 50_000}
}

// Validate says what is wrong with the limits.
func (l *Limits) Validate() error {
	if l.Series < 1 || l.Labels < 1 || l.LabelLength < 1 || l.SamplesPerSecond < 1 {
		return errors.New("limits must be at least 1")
	}
	return nil
}

// Errors of a sample that passes a limit; refusal has their names.
var (
	errHostSeries  = errors.New("its host sends more series than limits.series")
	errHostRate    = errors.New("its host sends more samples than limits.samples_per_second")
	errLabels      = errors.New("its series has more labels than limits.labels")
	errLabelLength = errors.New("a label of its series is longer than limits.label_length")
)

const (
	// seriesWindow is for how long a series counts that is not sent any more.
	seriesWindow = time.Hour
	burstSeconds = 10
)

// quotas hold what hosts have used of their limits. They are not safe for
// concurrent use.
type quotas struct {
	limits Limits
	hosts  map[string]*quota
	began  time.Time // of the window in which series are counted
}

// quota is what one host has used.
type quota struct {
	series map[storage.SeriesRef]struct{}
	left   float64 // samples that it may bring now
	filled time.Time
}

func newQuotas(l Limits) *quotas { return &quotas{limits: l, hosts: map[string]*quota{}} }

// over tells whether series have to be counted anew.
func (q *quotas) over(now time.Time) bool { return now.Sub(q.began) >= seriesWindow }

// renew begins a new window.
func (q *quotas) renew(now time.Time) {
	q.began = now
	clear(q.hosts)
}

// of is the quota of a host as it stands now; nil of none.
func (q *quotas) of(host string, now time.Time) *quota {
	if host == "" {
		return nil
	}
	perSecond := float64(q.limits.SamplesPerSecond)
	u := q.hosts[host]
	if u == nil {
		u = &quota{series: map[storage.SeriesRef]struct{}{}, left: burstSeconds * perSecond, filled: now}
		q.hosts[host] = u
	}
	u.left = min(u.left+perSecond*now.Sub(u.filled).Seconds(), burstSeconds*perSecond)
	u.filled = now
	return u
}

// check tells whether a series may have the labels it has.
func (q *quotas) check(s *telemetry.Series) error {
	if len(s.Labels) > q.limits.Labels {
		return errLabels
	}
	for _, l := range s.Labels {
		if len(l.Name)+len(l.Value) > int(q.limits.LabelLength) {
			return errLabelLength
		}
	}
	return nil
}

// admit tells whether the host may have a further series, unless it has this one.
func (q *quotas) admit(u *quota, app storage.Appender, series labels.Labels) error {
	if u == nil || len(u.series) < q.limits.Series {
		return nil
	}
	if known, ok := app.(storage.GetRef); ok {
		ref, _ := known.GetRef(series, series.Hash())
		if _, has := u.series[ref]; ref != 0 && has {
			return nil
		}
	}
	return errHostSeries
}

// count notes a series of the host.
func (u *quota) count(ref storage.SeriesRef) {
	if u != nil && ref != 0 {
		u.series[ref] = struct{}{}
	}
}

// take tells whether the host may bring n more samples now.
func (u *quota) take(n int) bool {
	if u == nil {
		return true
	}
	if float64(n) > u.left {
		return false
	}
	u.left -= float64(n)
	return true
}
