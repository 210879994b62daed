package main

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// answering answers as a collector does: one series "up" of two hosts.
func answering(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		answer := `{"status":"success","data":{"resultType":"vector","result":[]}}`
		switch expr := r.FormValue("query"); {
		case expr == "bad(":
			w.WriteHeader(http.StatusBadRequest)
			answer = `{"status":"error","errorType":"bad_data","error":"parse error"}`
		case expr == "up" && strings.HasSuffix(r.URL.Path, "query_range"):
			answer = `{"status":"success","data":{"resultType":"matrix","result":[
				{"metric":{"__name__":"up","instance":"a"},"values":[[1790000000,"1"],[1790000015.5,"0"]]},
				{"metric":{"__name__":"up","instance":"b"},"values":[[1790000000,"2"]]}]}}`
		case expr == "up":
			answer = `{"status":"success","data":{"resultType":"vector","result":[
				{"metric":{"__name__":"up","instance":"a, b"},"value":[1790000000,"1"]}]}}`
		}
		if _, err := w.Write([]byte(answer)); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestQuery(t *testing.T) {
	server := answering(t)
	for _, c := range []struct {
		args []string
		want string // part of the output
		code int
	}{
		{[]string{"up"}, "up        a, b      1\n", 0},
		{[]string{"up", "-o", "csv"}, "time,__name__,instance,value\n1790000000,up,\"a, b\",1\n", 0},
		{[]string{"up", "-o", "json"}, `{"resultType":"vector","result":[{"metric":{"__name__":"up","instance":"a, b"}`, 0},
		{[]string{"up", "--range", "1m", "-o", "csv"}, "1790000015.5,up,a,0\n1790000000,up,b,2\n", 0},
		{[]string{"up", "--range", "1m"}, `up{instance="b"}`, 0},
		{[]string{"nothing"}, "", 2},
		{[]string{"bad("}, "", 1},
		{[]string{"up", "-o", "plot"}, "", 1},
		{[]string{"up", "-o", "xml"}, "", 1},
		{[]string{"up", "--time", "yesterday"}, "", 1},
		{[]string{"up", "--server", "http://127.0.0.1:1"}, "", 1},
	} {
		root := newRoot()
		var out bytes.Buffer
		root.SetOut(&out)
		root.SetArgs(append([]string{"query", "--server", server}, c.args...))
		err, code := root.ExecuteContext(t.Context()), 0
		if err != nil {
			code = exitCode(err)
		}
		if code != c.code || !strings.Contains(out.String(), c.want) {
			t.Errorf("%v: code %d (%v), output\n%s\nwant %d and\n%s", c.args, code, err, out.String(), c.code, c.want)
		}
		if (c.code == 2) != errors.Is(err, errNoData) {
			t.Errorf("%v: %v", c.args, err)
		}
		if strings.Contains(out.String(), "\x1b[") {
			t.Errorf("%v: colors, but not to a terminal", c.args)
		}
	}
}

func TestMoment(t *testing.T) {
	now := time.Unix(1_790_000_000, 0)
	for s, want := range map[string]time.Time{
		"": now, "2h": now.Add(-2 * time.Hour), "1d": now.Add(-24 * time.Hour), "1789000000.5": time.UnixMilli(1_789_000_000_500),
		"2026-09-21T00:00:00Z": time.Date(2026, 9, 21, 0, 0, 0, 0, time.UTC),
	} {
		if got, err := moment(s, now); err != nil || !got.Equal(want) {
			t.Errorf("%q is %v, %v; want %v", s, got, err, want)
		}
	}
}
