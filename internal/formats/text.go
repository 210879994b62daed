package formats

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"

	"thump/internal/bus"
	"thump/internal/telemetry"
)

// Text is the text that exporters serve: the Prometheus text format, or
// OpenMetrics if Open is set.
type Text struct{ Open bool }

// Takes implements telemetry.Format. It reads both, whichever it is of them.
func (Text) Takes(_ *bus.Message, media string, params map[string]string) bool {
	return media == "text/plain" && params["version"] != "" || media == "application/openmetrics-text"
}

// endOfOpenMetrics is what an exposition of OpenMetrics must end in.
const endOfOpenMetrics = "# EOF"

// Read implements telemetry.Format.
func (t Text) Read(body []byte, at time.Time) (*telemetry.Content, error) {
	symbols := labels.NewSymbolTable()
	if n := len(body); n > 0 && body[n-1] != '\n' { // the last line of a script's here-string
		body = append(body[:n:n], '\n')
	}
	r := reader{at: at.UnixMilli(), parser: textparse.NewPromParser(body, symbols, false)}
	if t.Open || strings.HasSuffix(strings.TrimSpace(string(body[max(0, len(body)-16):])), endOfOpenMetrics) {
		r.parser = textparse.NewOpenMetricsParser(body, symbols)
	}
	if err := r.read(); err != nil {
		return nil, fmt.Errorf("decode metrics in text: %w", err)
	}
	return &r.content, nil
}

// reader reads one exposition.
type reader struct {
	parser  textparse.Parser
	at      int64 // Unix milliseconds
	content telemetry.Content
	family  telemetry.Series // with the name, type, help and unit that apply now
	name    string           // of the family
	samples int
}

func (r *reader) read() error {
	for {
		entry, err := r.parser.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch entry {
		case textparse.EntryType:
			name, typ := r.parser.Type()
			r.enter(string(name)).Type = metricTypes[typ]
		case textparse.EntryHelp:
			name, help := r.parser.Help()
			r.enter(string(name)).Help = string(help)
		case textparse.EntryUnit:
			name, unit := r.parser.Unit()
			r.enter(string(name)).Unit = string(unit)
		case textparse.EntryHistogram:
			r.content.Skip(telemetry.SkippedHistogram)
		case textparse.EntrySeries:
			if err := r.sample(); err != nil {
				return err
			}
		}
	}
}

// enter returns the family of a name, which what follows belongs to.
func (r *reader) enter(name string) *telemetry.Series {
	if r.name != name {
		r.name, r.family = name, telemetry.Series{}
	}
	return &r.family
}

func (r *reader) sample() error {
	if r.samples++; r.samples > telemetry.MaxSamples {
		return fmt.Errorf("more than %d samples", telemetry.MaxSamples)
	}
	_, at, v := r.parser.Series()
	if at == nil {
		at = &r.at
	}
	var ls labels.Labels
	r.parser.Labels(&ls)
	s := telemetry.Series{Labels: seriesLabelsOf(ls), Samples: []telemetry.Sample{{Time: *at, Value: v}}}
	if n := ls.Get(model.MetricNameLabel); n == r.name || strings.HasPrefix(n, r.name+"_") {
		s.Type, s.Help, s.Unit = r.family.Type, r.family.Help, r.family.Unit
	}
	return add(&r.content, &s)
}

func seriesLabelsOf(ls labels.Labels) []telemetry.Label {
	out := make([]telemetry.Label, 0, ls.Len())
	ls.Range(func(l labels.Label) { out = append(out, telemetry.Label{Name: l.Name, Value: l.Value}) })
	return out
}

// metricTypes are the types as Remote-Write 2.0 numbers them.
var metricTypes = map[model.MetricType]telemetry.Type{
	model.MetricTypeCounter:        telemetry.Counter,
	model.MetricTypeGauge:          telemetry.Gauge,
	model.MetricTypeHistogram:      telemetry.Histogram,
	model.MetricTypeGaugeHistogram: telemetry.GaugeHistogram,
	model.MetricTypeSummary:        telemetry.Summary,
	model.MetricTypeInfo:           telemetry.Info,
	model.MetricTypeStateset:       telemetry.StateSet,
}
