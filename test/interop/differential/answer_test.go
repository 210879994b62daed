package differential

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
)

// question is a query of one moment, or of a range.
type question struct {
	expr             string
	start, end, step int64 // milliseconds; step is 0 for the moment end
}

func (q question) String() string {
	if q.step == 0 {
		return fmt.Sprintf("%s at %d", q.expr, q.end)
	}
	return fmt.Sprintf("%s from %d to %d by %d", q.expr, q.start, q.end, q.step)
}

// answer is what a server says to it.
type answer struct {
	code      int
	errorType string
	err       string
	kind      string // of result
	series    map[string][]point
	order     []string // of the series
}

// point is a sample of an answer.
type point struct {
	at    string
	value string
}

// UnmarshalJSON implements json.Unmarshaler.
func (p *point) UnmarshalJSON(b []byte) error {
	var at json.Number
	if err := json.Unmarshal(b, &[]any{&at, &p.value}); err != nil {
		return err
	}
	p.at = at.String()
	return nil
}

func (q question) ask(t *testing.T, s server) answer {
	t.Helper()
	path, form := "/api/v1/query", url.Values{"query": {q.expr}, "time": {seconds(q.end)}}
	if q.step != 0 {
		path, form = "/api/v1/query_range", url.Values{"query": {q.expr}, "start": {seconds(q.start)}, "end": {seconds(q.end)}, "step": {seconds(q.step)}}
	}
	res, err := http.PostForm(s.url+path, form)
	if err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	defer res.Body.Close()
	a := answer{code: res.StatusCode}
	if err := a.read(json.NewDecoder(res.Body)); err != nil {
		t.Fatalf("%s: %s: %v", s.name, q, err)
	}
	return a
}

func seconds(ms int64) string { return strconv.FormatFloat(float64(ms)/1000, 'f', 3, 64) }

func (a *answer) read(d *json.Decoder) error {
	var body struct {
		ErrorType, Error string
		Data             struct {
			ResultType string
			Result     json.RawMessage
		}
	}
	if err := d.Decode(&body); err != nil {
		return err
	}
	a.errorType, a.err, a.kind, a.series = body.ErrorType, body.Error, body.Data.ResultType, map[string][]point{}
	switch a.kind {
	case "":
		return nil
	case "scalar", "string":
		var p point
		err := json.Unmarshal(body.Data.Result, &p)
		a.add("", []point{p})
		return err
	}
	var series []struct {
		Metric model.Metric
		Value  point
		Values []point
	}
	if err := json.Unmarshal(body.Data.Result, &series); err != nil {
		return err
	}
	for _, s := range series {
		if s.Values == nil {
			s.Values = []point{s.Value}
		}
		a.add(s.Metric.String(), s.Values)
	}
	return nil
}

func (a *answer) add(name string, points []point) {
	a.series[name] = points
	a.order = append(a.order, name)
}

// differ tells in what two answers are not the same.
func differ(want, got answer) error {
	switch {
	case want.code != got.code || want.errorType != got.errorType:
		return fmt.Errorf("want %d %s %s\ngot %d %s %s", want.code, want.errorType, want.err, got.code, got.errorType, got.err)
	case want.kind != got.kind:
		return fmt.Errorf("want a %s, got a %s", want.kind, got.kind)
	case len(want.series) != len(got.series):
		return fmt.Errorf("want %d series, got %d\nwant %v\ngot %v", len(want.series), len(got.series), want.order, got.order)
	}
	for _, name := range slices.Sorted(maps.Keys(want.series)) {
		other, ok := got.series[name]
		if !ok {
			return fmt.Errorf("want %s, which is not among %v", name, got.order)
		}
		if err := unlike(want.series[name], other); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// unlike tells in what two series are not the same.
func unlike(want, got []point) error {
	if len(want) != len(got) {
		return fmt.Errorf("want %d points, got %d\nwant %v\ngot %v", len(want), len(got), want, got)
	}
	for i := range want {
		if want[i].at != got[i].at || !close(want[i].value, got[i].value) {
			return fmt.Errorf("want %s at %s, got %s at %s", want[i].value, want[i].at, got[i].value, got[i].at)
		}
	}
	return nil
}

// close tells whether two values are the same but for the last digits of a
// float, which depend on the order of additions.
func close(want, got string) bool {
	a, errA := strconv.ParseFloat(want, 64)
	b, errB := strconv.ParseFloat(got, 64)
	if strings.EqualFold(want, got) || errA != nil || errB != nil {
		return want == got
	}
	const relative, absolute = 1e-9, 1e-12
	return math.Abs(a-b) <= max(absolute, relative*max(math.Abs(a), math.Abs(b)))
}
