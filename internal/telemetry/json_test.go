package telemetry_test

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"thump/internal/bus"
	"thump/internal/telemetry"
)

var arrival = time.UnixMilli(1_700_000_000_000)

func jsonMessage(body string) *bus.Message {
	return &bus.Message{ContentType: "application/json; charset=utf-8", Time: arrival, Body: []byte(body)}
}

func TestJSON(t *testing.T) {
	one := func(ms int64, v float64, labels ...telemetry.Label) []telemetry.Series {
		return []telemetry.Series{{
			Labels:  append([]telemetry.Label{label("__name__", "m")}, labels...),
			Samples: []telemetry.Sample{{Time: ms, Value: v}},
		}}
	}
	const now = 1_700_000_000_000
	for body, want := range map[string][]telemetry.Series{
		`{"name":"m","value":1}`:                                      one(now, 1),
		` [ {"name":"m","value":-1.5e3} ] `:                           one(now, -1500),
		`{"name":"m","value":0,"timestamp":1789000000}`:               one(1_789_000_000_000, 0),
		`{"name":"m","value":0,"timestamp":1789000000.5}`:             one(1_789_000_000_500, 0),
		`{"name":"m","value":0,"timestamp":1789000000500}`:            one(1_789_000_000_500, 0),
		`{"name":"m","value":0,"timestamp":"2026-09-10T00:26:40.5Z"}`: one(1_789_000_000_500, 0),
		`{"name":"m","value":0,"timestamp":0}`:                        one(now, 0),
		`{"name":"m","value":"+Inf"}`:                                 one(now, math.Inf(1)),
		`{"name":"m","labels":{"z":"1","a":"ä"},"value":2}`:           one(now, 2, label("a", "ä"), label("z", "1")),
		`[{"name":"m","value":1},{"name":"m","value":2}]`:             append(one(now, 1), one(now, 2)...),
		`[]`: nil,
	} {
		got, err := decode(jsonMessage(body))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\ngot  %+v, %v\nwant %+v", body, got, err, want)
		}
	}
	got, err := decode(jsonMessage(`{"name":"m","value":"NaN"}`))
	if err != nil || !math.IsNaN(got[0].Samples[0].Value) {
		t.Errorf("NaN: %+v, %v", got, err)
	}
}

func TestJSONRejected(t *testing.T) {
	for body, want := range map[string]string{
		`{"name":"m"}`: "no value",
		`{"value":1}`:  "without a metric name",
		`{"name":"m","value":1,"labels":{"":"x"}}`:         "label without a name",
		`{"name":"m","value":1,"labels":{"__name__":"x"}}`: "twice",
		`{"name":"m","value":"many"}`:                      "not a number",
		`{"name":"m","value":true}`:                        "not a number",
		`{"name":"m","value":1,"timestamp":"yesterday"}`:   "timestamp",
		`{"name":"m","value":1,"timestamp":1e300}`:         "timestamp",
		`{"name":"m","value":1,"stamp":1}`:                 "unknown field",
		`[{"name":"m","value":1},{"name":"n"}]`:            "metric 2",
		`{"name":"m","value":1`:                            "decode JSON",
		``:                                                 "",
		`"m"`:                                              "decode JSON",
		`{"name":"m","value":1} ` + strings.Repeat(" ", telemetry.MaxJSON): "more than",
		`{"name":"m","value":1}{"name":"m","value":1}`:                     "decode JSON",
		`[{"name":"m","value":1}] x`:                                       "decode JSON",
	} {
		got, err := decode(jsonMessage(body))
		if err == nil || len(got) > 0 || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %d series, err %v; want one with %q", body, len(got), err, want)
		}
	}
}

func TestWord(t *testing.T) {
	if got := telemetry.Key("web servers", "web01.example.org", "disk-io"); got != "web_servers.web01_example_org.disk-io" {
		t.Error(got)
	}
}
