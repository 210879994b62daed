package contract

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// TestQueriesEqualThePrometheusAPI compares every sample with what the Prometheus
// API says of the same range.
func TestQueriesEqualThePrometheusAPI(t *testing.T) {
	p := up(t)
	c := start(t).configure(p.settings())
	now := time.Now().Truncate(15 * time.Second).Add(-15 * time.Second)
	for i := range 40 {
		at := now.Add(time.Duration(i-40) * 15 * time.Second).UnixMilli()
		p.publish("shop.till7.orders", fmt.Sprintf(`[{"name":"orders_total","labels":{"instance":"till7","group":"shop","kind":"book"},"value":%d,"timestamp":%d},
			{"name":"orders_total","labels":{"instance":"till7","group":"shop","kind":"pen"},"value":%d,"timestamp":%d}]`, i*3, at, i*i, at))
	}
	eventually(t, "history has it", func() error {
		body, err := fetch(p.url() + "/api/v1/query?query=" + url.QueryEscape(fmt.Sprintf("count(orders_total @ %d)", now.Add(-15*time.Second).Unix())))
		if err == nil && !strings.Contains(string(body), `"2"`) {
			err = fmt.Errorf("not yet: %s", body)
		}
		return err
	})
	s := span{now.Add(-10 * time.Minute), now, 1000, 15 * time.Second}
	for _, expr := range []string{"orders_total", "rate(orders_total[1m])", "sum by (instance) (increase(orders_total[2m]))", "sum(orders_total) * 2", "42", "orders_total > 1e9"} {
		query, _ := json.Marshal(map[string]any{"expr": expr, "range": true})
		if got, want := points(c.must(string(query), "", s)), direct(t, p, expr, s, 15*time.Second); got != want {
			t.Errorf("%s gives\n%s\nwant\n%s", expr, got, want)
		}
	}
}

// points is a text of all series of some frames.
func points(frames data.Frames) string {
	all := map[string][]string{}
	for _, f := range frames {
		if len(f.Fields) < 2 {
			continue
		}
		labels, _ := json.Marshal(f.Fields[1].Labels)
		for i := range f.Rows() {
			v, _ := f.Fields[1].FloatAt(i)
			at, _ := f.Fields[0].At(i).(time.Time)
			all[string(labels)] = append(all[string(labels)], fmt.Sprintf("%d=%v", at.Unix(), v))
		}
	}
	out, _ := json.MarshalIndent(all, "", " ")
	return string(out)
}

// direct asks the Prometheus API itself.
func direct(t *testing.T, p *pipeline, expr string, s span, step time.Duration) string {
	t.Helper()
	body, err := fetch(fmt.Sprintf("%s/api/v1/query_range?query=%s&start=%d&end=%d&step=%v", p.url(), url.QueryEscape(expr), s.from.Unix(), s.to.Unix(), step.Seconds()))
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Data struct {
			Result []struct {
				Metric map[string]string
				Values [][2]any
			}
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for _, r := range answer.Data.Result {
		labels, _ := json.Marshal(data.Labels(r.Metric))
		for _, v := range r.Values {
			number, _ := strconv.ParseFloat(v[1].(string), 64)
			all[string(labels)] = append(all[string(labels)], fmt.Sprintf("%.0f=%v", v[0], number))
		}
	}
	out, _ := json.MarshalIndent(all, "", " ")
	return string(out)
}

// TestWhatAPanelAsks goes through the kinds of queries and what they are made of.
func TestWhatAPanelAsks(t *testing.T) {
	p := up(t)
	c := start(t).configure(p.settings())
	p.orders(7)
	p.publish("shop.till7.alerting", `{"name":"ALERTS","labels":{"alertname":"NoPaper","alertstate":"firing","severity":"page","instance":"till7","group":"shop"},"value":1}`)
	eventually(t, "history has it", func() error {
		body, err := fetch(p.url() + "/api/v1/query?query=" + url.QueryEscape("count(orders) + count(ALERTS) + count(up)"))
		if err == nil && !strings.Contains(string(body), `"3"`) {
			err = fmt.Errorf("not yet: %s", body)
		}
		return err
	})
	s := lately(10 * time.Minute)

	instant := c.must(`{"expr":"orders","instant":true,"legendFormat":"{{group}}/{{ instance }}"}`, "", s)
	if len(instant) != 1 || instant[0].Fields[1].Config.DisplayNameFromDS != "shop/till7" || points(instant) == "{}" {
		t.Errorf("instant gives %s", show(instant[0]))
	}
	table := c.must(`{"expr":"orders","instant":true,"format":"table"}`, "", s)
	var names []string
	for _, f := range table[0].Fields {
		names = append(names, f.Name)
	}
	if got, want := strings.Join(names, " "), "Time __name__ group instance Value"; got != want || table[0].Rows() != 1 {
		t.Errorf("the table has %q, want %q", got, want)
	}
	macros := c.must(`{"expr":"vector($__range_s) + $__interval_ms + 0 * count_over_time(vector(1)[$__rate_interval:$__interval])","instant":true,"interval":"20s"}`, "", s)
	if len(macros[0].Fields) < 2 {
		t.Errorf("the macros give %s", show(macros[0]))
	} else if v, _ := macros[0].Fields[1].FloatAt(0); v != 600+20_000 {
		t.Errorf("the macros give %v, want 20600: %s", v, macros[0].Meta.ExecutedQueryString)
	}
	if _, problem := c.ask(`{"expr":"sum(orders"}`, "", s); !strings.Contains(problem, "parse error") {
		t.Errorf("a wrong expression gives %q", problem)
	}
	if _, problem := c.ask(`{"expr":"orders","interval":"often"}`, "", s); !strings.Contains(problem, `"often"`) {
		t.Errorf("a wrong step gives %q", problem)
	}
	if _, problem := c.ask(`{"expr":"orders","range":true,"exemplar":true}`, "", s); problem != "" {
		t.Errorf("exemplars give %q", problem)
	}
	alerts := c.must(`{"alerts":{"host":"till.*"}}`, "annotations", s)
	if f := alerts[0]; f.Rows() != 1 || f.Fields[2].At(0) != "NoPaper on till7" {
		t.Errorf("annotations are %s", show(f))
	}
}

// TestEditorsAreHelped calls the resources that complete names.
func TestEditorsAreHelped(t *testing.T) {
	p := up(t)
	c := start(t).configure(p.settings())
	p.orders(7)
	p.publish("shop.till7.up", `{"name":"up","labels":{"instance":"till7","group":"shop","job":"node"},"value":1}`)
	p.publish("shop.till7.alerting", `{"name":"ALERTS","labels":{"alertname":"NoPaper","alertstate":"firing","instance":"till7"},"value":1}`)
	for path, want := range map[string]string{
		"metrics": `"name":"orders"`,
		"metrics?match=" + url.QueryEscape(`{instance!=""}`): `"name":"node_load1"`,
		"labels?match=orders":                                `["__name__","group","instance"]`,
		"values?label=instance&match=orders":                 `["till7"]`,
		"hosts?group=shop":                                   `["till7"]`,
		"groups":                                             `"shop"`,
		"annotations":                                        `"title":"NoPaper on till7"`,
	} {
		eventually(t, path, func() error {
			var v any
			if code, body := c.get(path, &v); code != 200 || !strings.Contains(body, want) {
				return fmt.Errorf("answers %d %s, want %s", code, body, want)
			}
			return nil
		})
	}
}
