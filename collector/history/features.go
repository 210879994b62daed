package history

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
)

// features are those of PromQL that Prometheus has behind --enable-feature, by
// the names that they have there.
var features = map[string]func(*promql.EngineOpts, *parser.Options){
	"promql-experimental-functions":   func(_ *promql.EngineOpts, p *parser.Options) { p.EnableExperimentalFunctions = true },
	"promql-extended-range-selectors": func(_ *promql.EngineOpts, p *parser.Options) { p.EnableExtendedRangeSelectors = true },
	"promql-binop-fill-modifiers":     func(_ *promql.EngineOpts, p *parser.Options) { p.EnableBinopFillModifiers = true },
	"promql-delayed-name-removal":     func(e *promql.EngineOpts, _ *parser.Options) { e.EnableDelayedNameRemoval = true },
	"type-and-unit-labels":            func(e *promql.EngineOpts, _ *parser.Options) { e.EnableTypeAndUnitLabels = true },
}

func checkFeatures(names []string) error {
	for _, name := range names {
		if features[name] == nil {
			return fmt.Errorf("query_features: %q is not one of %s", name, strings.Join(slices.Sorted(maps.Keys(features)), ", "))
		}
	}
	return nil
}

// enable turns features on. Durations that are computed are on in any case, as
// in Prometheus.
func enable(names []string, opts *promql.EngineOpts) {
	grammar := parser.Options{ExperimentalDurationExpr: true}
	for _, name := range names {
		features[name](opts, &grammar)
	}
	opts.Parser = parser.NewParser(grammar)
}
