package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/guptarohit/asciigraph"
	"github.com/prometheus/common/model"
	terminal "golang.org/x/term"
)

// writer is how the answer is shown.
func (q *query) writer() (func(io.Writer, model.Value) error, error) {
	switch {
	case q.output == "plot" && q.span == 0:
		return nil, errors.New("a plot needs --range")
	case q.output == "plot", q.output == "" && q.span > 0:
		return plot, nil
	case q.output == "table", q.output == "":
		return asTable, nil
	case q.output == "csv":
		return commaSeparated, nil
	case q.output == "json":
		return asJSON, nil
	}
	return nil, fmt.Errorf("--output %q is not one of table, plot, csv, json", q.output)
}

// rows visits the samples of an answer, series by series.
func rows(v model.Value, visit func(series model.Metric, at model.Time, value string)) {
	switch v := v.(type) {
	case *model.Scalar:
		visit(nil, v.Timestamp, v.Value.String())
	case *model.String:
		visit(nil, v.Timestamp, v.Value)
	case model.Vector:
		for _, s := range v {
			visit(s.Metric, s.Timestamp, value(s.Value, s.Histogram))
		}
	case model.Matrix:
		for _, s := range v {
			for _, p := range s.Values {
				visit(s.Metric, p.Timestamp, p.Value.String())
			}
			for _, p := range s.Histograms {
				visit(s.Metric, p.Timestamp, value(0, p.Histogram))
			}
		}
	}
}

func value(v model.SampleValue, h *model.SampleHistogram) string {
	if h != nil {
		return h.String()
	}
	return v.String()
}

// labelNames are those of all series of an answer, the metric's name first.
func labelNames(v model.Value) []string {
	names := map[string]bool{}
	rows(v, func(series model.Metric, _ model.Time, _ string) {
		for name := range series {
			names[string(name)] = true
		}
	})
	hasName := names[model.MetricNameLabel]
	delete(names, model.MetricNameLabel)
	sorted := slices.Sorted(maps.Keys(names))
	if hasName {
		sorted = slices.Insert(sorted, 0, model.MetricNameLabel)
	}
	return sorted
}

// records are the rows of a table: time, labels, value, with a title on top.
func records(v model.Value, clock func(model.Time) string) [][]string {
	names := labelNames(v)
	all := [][]string{slices.Concat([]string{"time"}, names, []string{"value"})}
	rows(v, func(series model.Metric, at model.Time, value string) {
		row := []string{clock(at)}
		for _, n := range names {
			row = append(row, string(series[model.LabelName(n)]))
		}
		all = append(all, append(row, value))
	})
	return all
}

func asTable(w io.Writer, v model.Value) error {
	all := records(v, func(t model.Time) string { return t.Time().Local().Format(time.DateTime) })
	if len(all) == 1 {
		return nil
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range all {
		for i, cell := range row {
			end := "\t"
			if i == len(row)-1 {
				end = "\n"
			}
			if _, err := io.WriteString(tw, cell+end); err != nil {
				return err
			}
		}
	}
	return tw.Flush()
}

func commaSeparated(w io.Writer, v model.Value) error {
	seconds := func(t model.Time) string { return strconv.FormatFloat(float64(t)/1000, 'f', -1, 64) }
	return csv.NewWriter(w).WriteAll(records(v, seconds))
}

// asJSON writes the data of the API's answer.
func asJSON(w io.Writer, v model.Value) error {
	return json.NewEncoder(w).Encode(struct {
		Type   string      `json:"resultType"`
		Result model.Value `json:"result"`
	}{v.Type().String(), v})
}

const (
	plotHeight = 16 // lines
	plotSeries = 10 // more cannot be told apart
)

var plotColors = []asciigraph.AnsiColor{
	asciigraph.Blue, asciigraph.Red, asciigraph.Green, asciigraph.Yellow, asciigraph.Magenta,
	asciigraph.Cyan, asciigraph.Gray, asciigraph.Orange, asciigraph.Purple, asciigraph.White,
}

// plot draws a range, a line for each series.
func plot(w io.Writer, v model.Value) error {
	matrix, ok := v.(model.Matrix)
	if !ok {
		return asTable(w, v)
	}
	shown := matrix[:min(len(matrix), plotSeries)]
	grid := times(shown)
	if len(grid) == 0 {
		return nil
	}
	var lines [][]float64
	var legends []string
	for _, s := range shown {
		lines = append(lines, line(s, grid))
		legends = append(legends, s.Metric.String())
	}
	first, last := grid[0].Time().Local(), grid[len(grid)-1].Time().Local()
	caption := first.Format(time.DateTime) + " to " + last.Format(time.DateTime)
	if hidden := len(matrix) - len(shown); hidden > 0 {
		caption += fmt.Sprintf(" (%d more series are not drawn)", hidden)
	}
	drawing := asciigraph.PlotMany(lines,
		asciigraph.Height(plotHeight), asciigraph.Width(points), asciigraph.Caption(caption),
		asciigraph.SeriesColors(plotColors[:len(lines)]...), asciigraph.SeriesLegends(legends...))
	if !colorful(w) {
		drawing = escapes.ReplaceAllString(drawing, "")
	}
	_, err := fmt.Fprintln(w, drawing)
	return err
}

// escapes are the sequences that color a terminal.
var escapes = regexp.MustCompile("\x1b\\[[0-9;]*m")

// colorful tells whether w is a terminal whose user has not set NO_COLOR
// (no-color.org).
func colorful(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && terminal.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == ""
}

// times are all moments at which a series has a value.
func times(matrix model.Matrix) []model.Time {
	all := map[model.Time]bool{}
	for _, s := range matrix {
		for _, p := range s.Values {
			if v := float64(p.Value); !math.IsNaN(v) && !math.IsInf(v, 0) {
				all[p.Timestamp] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// line is a series on a grid of moments; a gap is NaN.
func line(s *model.SampleStream, grid []model.Time) []float64 {
	known := map[model.Time]float64{}
	for _, p := range s.Values {
		if v := float64(p.Value); !math.IsInf(v, 0) {
			known[p.Timestamp] = v
		}
	}
	all := make([]float64, len(grid))
	for i, t := range grid {
		v, ok := known[t]
		if !ok {
			v = math.NaN()
		}
		all[i] = v
	}
	return all
}
