package history

import (
	"regexp"
	"strings"

	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/prometheus/common/model"
)

// autoLegend leaves the names to Grafana, which shows what tells series apart.
const autoLegend = "__auto"

var placeholder = regexp.MustCompile(`\{\{\s*(.+?)\s*\}\}`)

// Legend is the name of a series by a format such as "{{instance}} {{mode}}".
func Legend(format, expr string, m model.Metric) string {
	switch {
	case format == autoLegend && len(m) > 0:
		return ""
	case format != "" && format != autoLegend:
		return placeholder.ReplaceAllStringFunc(format, func(s string) string {
			return string(m[model.LabelName(strings.TrimSpace(s[2:len(s)-2]))])
		})
	case len(m) == 0:
		return expr
	}
	return m.String()
}

// Labels are those of a metric, its name included.
func Labels(m model.Metric) data.Labels {
	out := make(data.Labels, len(m))
	for k, v := range m {
		out[string(k)] = string(v)
	}
	return out
}
