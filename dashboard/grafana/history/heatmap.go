package history

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/prometheus/common/model"
)

// heatmapRows is the type of a frame whose columns are buckets, lowest first.
const heatmapRows data.FrameType = "heatmap-rows"

// heatmap is one frame of the buckets of a classic histogram. They are cumulative
// in PromQL, and each for itself here.
func heatmap(m model.Matrix) *data.Frame {
	slices.SortStableFunc(m, func(a, b *model.SampleStream) int { return cmp.Compare(bound(a), bound(b)) })
	f := Wide(m, "{{le}}", "")
	f.Meta.Type = heatmapRows
	for column := len(f.Fields) - 1; column >= 1; column-- {
		f.Fields[column].Name = string(m[column-1].Metric[model.BucketLabel])
		if column == 1 {
			continue
		}
		for row := range f.Fields[column].Len() {
			upper, _ := f.Fields[column].At(row).(*float64)
			lower, _ := f.Fields[column-1].At(row).(*float64)
			if upper != nil && lower != nil {
				f.Fields[column].Set(row, new(max(*upper-*lower, 0)))
			}
		}
	}
	return f
}

func bound(s *model.SampleStream) float64 {
	v, err := strconv.ParseFloat(string(s.Metric[model.BucketLabel]), 64)
	if err != nil {
		return math.Inf(1)
	}
	return v
}
