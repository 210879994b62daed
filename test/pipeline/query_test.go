package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"
)

// series is one series of an answer of the query API.
type series struct {
	Metric map[string]string `json:"metric"`
	Value  point             `json:"value"`
	Values []point           `json:"values"`
}

// point is a sample: Unix seconds and the value as text.
type point struct {
	time  float64
	value string
}

func (p *point) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &[]any{&p.time, &p.value}) }

func (p point) millis() int64 { return int64(p.time*1000 + 0.5) }

// query asks for an expression at this moment.
func query(ctx context.Context, base, expr string) ([]series, error) {
	return ask(ctx, base+"/api/v1/query?"+url.Values{"query": {expr}}.Encode())
}

// raw returns the stored samples of a selector's series over the last d.
func raw(ctx context.Context, base, selector string, d time.Duration) ([]series, error) {
	return query(ctx, base, fmt.Sprintf("%s[%ds]", selector, int(d.Seconds())))
}

func ask(ctx context.Context, url string) ([]series, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	var answer struct {
		Status, Error string
		Data          struct{ Result []series }
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return nil, fmt.Errorf("%s: %w", res.Status, err)
	}
	if answer.Status != "success" {
		return nil, fmt.Errorf("query failed: %s", answer.Error)
	}
	return answer.Data.Result, nil
}

// one waits for the expression to answer exactly one series.
func one(t *testing.T, base, expr string, limit time.Duration) series {
	t.Helper()
	var got []series
	eventually(t, limit, expr, func() (err error) {
		got, err = query(t.Context(), base, expr)
		if err == nil && len(got) != 1 {
			err = fmt.Errorf("%d series, want one", len(got))
		}
		return err
	})
	return got[0]
}

func (s series) number(t *testing.T) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(s.Value.value, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
