package collector

import (
	"strings"
	"sync"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/scrape"

	"thump/internal/telemetry"
)

// maxFamilies bounds what is known of metrics; those seen later have no metadata.
const maxFamilies = 20_000

// families knows type, help and unit of metrics from the batches that brought
// them. It implements scrape.MetricMetadataStore.
type families struct {
	mu     sync.Mutex
	byName map[string]scrape.MetricMetadata // guarded by mu
}

func newFamilies() *families { return &families{byName: map[string]scrape.MetricMetadata{}} }

// note takes what a series says of its metric, if it says anything.
func (f *families) note(s *telemetry.Series) {
	if s.Type == telemetry.Unspecified && s.Help == "" && s.Unit == "" {
		return
	}
	m := scrape.MetricMetadata{MetricFamily: family(s), Type: metricTypes[s.Type], Help: s.Help, Unit: s.Unit}
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.byName[m.MetricFamily]; ok || len(f.byName) < maxFamilies {
		f.byName[m.MetricFamily] = m
	}
}

var metricTypes = [...]model.MetricType{
	telemetry.Unspecified:    model.MetricTypeUnknown,
	telemetry.Counter:        model.MetricTypeCounter,
	telemetry.Gauge:          model.MetricTypeGauge,
	telemetry.Histogram:      model.MetricTypeHistogram,
	telemetry.GaugeHistogram: model.MetricTypeGaugeHistogram,
	telemetry.Summary:        model.MetricTypeSummary,
	telemetry.Info:           model.MetricTypeInfo,
	telemetry.StateSet:       model.MetricTypeStateset,
}

// family is the name without the suffix that tells the series of a histogram or
// a summary apart.
func family(s *telemetry.Series) string {
	name := s.Name()
	switch s.Type {
	case telemetry.Histogram, telemetry.GaugeHistogram, telemetry.Summary:
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if base, ok := strings.CutSuffix(name, suffix); ok {
				return base
			}
		}
	}
	return name
}

// ListMetadata implements scrape.MetricMetadataStore.
func (f *families) ListMetadata() []scrape.MetricMetadata {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]scrape.MetricMetadata, 0, len(f.byName))
	for _, m := range f.byName {
		all = append(all, m)
	}
	return all
}

// GetMetadata implements scrape.MetricMetadataStore.
func (f *families) GetMetadata(family string) (scrape.MetricMetadata, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m, ok := f.byName[family]
	return m, ok
}

// SizeMetadata implements scrape.MetricMetadataStore: bytes.
func (f *families) SizeMetadata() (bytes int) {
	for _, m := range f.ListMetadata() {
		bytes += len(m.MetricFamily) + len(m.Type) + len(m.Help) + len(m.Unit)
	}
	return bytes
}

// LengthMetadata implements scrape.MetricMetadataStore: metrics.
func (f *families) LengthMetadata() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.byName)
}
