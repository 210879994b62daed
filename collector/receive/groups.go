package receive

import (
	"errors"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/value"

	"thump/internal/telemetry"
)

// pushed keeps what was pushed last, by group, as a Pushgateway does.
type pushed struct {
	limit int // series

	mu     sync.Mutex
	groups map[string]*group // by the key of their labels; guarded by mu
	count  int               // series in groups; guarded by mu
}

// group is what was pushed under the same grouping labels.
type group struct {
	labels []telemetry.Label // job first, then as in the path
	series map[string]telemetry.Series
}

var errManyPushed = errors.New("more series are pushed than push-series allows: delete groups that are no longer pushed")

func newPushed(limit int) *pushed { return &pushed{limit: limit, groups: map[string]*group{}} }

func (p *pushed) series() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count
}

// change is what a push makes of a group: it is kept once it is published.
type change struct {
	key  string
	next *group // nil: the group is deleted
	gone []telemetry.Series
}

// merge says what a push of series makes of a group. With replace all that was
// there before goes, else only metrics of the same name.
func (p *pushed) merge(labels []telemetry.Label, series []telemetry.Series, replace bool) (*change, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := &change{key: seriesKey(labels), next: &group{labels: labels, series: map[string]telemetry.Series{}}}
	names := map[string]bool{}
	for i := range series {
		c.next.series[seriesKey(series[i].Labels)] = series[i]
		names[series[i].Name()] = true
	}
	before := p.groups[c.key]
	if before == nil {
		return c, p.fits(len(c.next.series))
	}
	for key, s := range before.series {
		_, again := c.next.series[key]
		switch {
		case again:
		case replace || names[s.Name()]:
			c.gone = append(c.gone, s)
		default:
			c.next.series[key] = s
		}
	}
	return c, p.fits(len(c.next.series) - len(before.series))
}

// fits is called with mu held.
func (p *pushed) fits(more int) error {
	if more > 0 && p.count+more > p.limit {
		return errManyPushed
	}
	return nil
}

// remove says what deleting a group changes; nil if there is no such group.
func (p *pushed) remove(labels []telemetry.Label) *change {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := seriesKey(labels)
	g := p.groups[key]
	if g == nil {
		return nil
	}
	return &change{key: key, gone: slices.Collect(maps.Values(g.series))}
}

// apply keeps a change.
func (p *pushed) apply(c *change) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if g := p.groups[c.key]; g != nil {
		p.count -= len(g.series)
	}
	delete(p.groups, c.key)
	if c.next != nil {
		p.groups[c.key] = c.next
		p.count += len(c.next.series)
	}
}

// all are the series of all groups, as if they were scraped at a time.
func (p *pushed) all(at time.Time) (all []telemetry.Series) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, g := range p.groups {
		all = append(all, g.at(at)...)
	}
	return all
}

// at are the series with a time.
func (g *group) at(at time.Time) []telemetry.Series {
	all := make([]telemetry.Series, 0, len(g.series))
	for _, s := range g.series {
		s.Samples = []telemetry.Sample{{Time: at.UnixMilli(), Value: s.Samples[0].Value}}
		all = append(all, s)
	}
	return all
}

// ended are series with the marker that Prometheus gives to those that are no
// longer exposed, so that queries stop at once.
func ended(series []telemetry.Series, at time.Time) []telemetry.Series {
	stale := telemetry.Sample{Time: at.UnixMilli(), Value: math.Float64frombits(value.StaleNaN)}
	all := slices.Clone(series)
	for i := range all {
		all[i].Samples = []telemetry.Sample{stale}
	}
	return all
}

// seriesKey tells label sets apart, whatever their order.
func seriesKey(labels []telemetry.Label) string {
	parts := make([]string, len(labels))
	for i, l := range labels {
		parts[i] = l.Name + "\xff" + l.Value
	}
	slices.Sort(parts)
	return strings.Join(parts, "\xfe")
}
