package rules

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	promrules "github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/util/teststorage"
)

func TestLocal(t *testing.T) {
	cases := map[string]bool{
		`busy > 90`:                         true,
		`avail / size < 0.1`:                true,
		`rate(a[5m]) > 1 and b == 0`:        true,
		`sum by (instance, mode) (a) > 1`:   true,
		`sum without (cpu) (a) > 1`:         true,
		`a / on (instance) group_left b`:    true,
		`a / ignoring (cpu) group_left b`:   true,
		`time() - a > 5`:                    true,
		`max_over_time(rate(a[5m])[1h:1m])`: true,

		`sum(a) > 1`:                                      false,
		`sum by (mode) (a)`:                               false,
		`sum without (instance) (a)`:                      false,
		`a / on (cluster) group_left b`:                   false,
		`a / ignoring (instance) group_left b`:            false,
		`a * on () group_left (instance) b`:               false,
		`a unless on () b == 0`:                           false,
		`absent(a)`:                                       false,
		`a > scalar(b)`:                                   false,
		`vector(1)`:                                       false,
		`a or vector(0)`:                                  false,
		`label_replace(a, "instance", "x", "host", ".*")`: false,
		`a > a offset 1h`:                                 false,
		`a @ end() > 1`:                                   false,
		`topk(3, a)`:                                      false,
	}
	for expr, want := range cases {
		e, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
		if err != nil {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		if got := local(e); got != want {
			t.Errorf("%s looks at each host by itself: %v, want %v", expr, got, want)
		}
	}
}

// TestArrivalsAskOfSomeHosts compares what a rule says, asked about the hosts
// that have reported, with what it says when it is asked about all.
func TestArrivalsAskOfSomeHosts(t *testing.T) {
	const hosts = 3*scopeHosts + 7
	name := func(i int) string { return fmt.Sprintf("web%03d.example.org", i) }
	db := teststorage.New(t)
	now := time.Now().Truncate(time.Second)
	put := func(i int, at time.Time, v float64) {
		t.Helper()
		app := db.Appender(t.Context())
		if _, err := app.Append(0, labels.FromStrings("__name__", "busy", "instance", name(i)), at.UnixMilli(), v); err != nil {
			t.Fatal(err)
		}
		if err := app.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1e6, Timeout: time.Minute, LookbackDelta: lookbackDelta, Parser: parser.NewParser(parser.Options{})})
	t.Cleanup(func() { _ = engine.Close() })
	expr, err := parser.NewParser(parser.Options{}).ParseExpr("busy > 90")
	if err != nil {
		t.Fatal(err)
	}
	rule := promrules.NewAlertingRule("Busy", expr, 0, 0, labels.EmptyLabels(), labels.EmptyLabels(), labels.EmptyLabels(), "", true, nil)
	arrived := &arrivals{}
	arrived.keep([]*promrules.AlertingRule{rule})
	seen := 0
	ask := arrived.query(func(ctx context.Context, q string, at time.Time) (promql.Vector, error) {
		v, err := promrules.EngineQueryFunc(engine, scoped{db})(ctx, q, at)
		seen = len(v)
		return v, err
	})
	eval := func(some Hosts, at time.Time) map[string]float64 {
		t.Helper()
		ctx := promrules.NewOriginContext(within(t.Context(), newScope(some)), promrules.NewRuleDetail(rule))
		v, err := ask(ctx, rule.Query().String(), at)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]float64{}
		for _, s := range v {
			got[s.Metric.Get("instance")] = s.F
		}
		return got
	}

	for i := range hosts {
		put(i, now, 95)
	}
	if got := eval(Hosts{name(1): true}, now); len(got) != hosts {
		t.Errorf("first asked about one host, %d alerts, want one of each of %d: nothing was known of the others", len(got), hosts)
	}
	put(1, now.Add(time.Second), 99)
	put(2, now.Add(time.Second), 10)
	put(3, now.Add(time.Second), 10) // not named: it is still true what was said
	got := eval(Hosts{name(1): true, name(2): true}, now.Add(time.Second))
	if _, ok := got[name(2)]; ok || len(got) != hosts-1 || got[name(1)] != 99 || got[name(3)] != 95 {
		t.Errorf("%d alerts, web001 at %v, web003 at %v, web002 among them: %v", len(got), got[name(1)], got[name(3)], ok)
	}
	if seen != 1 {
		t.Errorf("asked about two hosts the storage shows %d above the threshold, want 1", seen)
	}
	some := Hosts{}
	for i := range hosts {
		some[name(i)] = true
	}
	if got := eval(some, now.Add(time.Second)); len(got) != hosts-2 || seen != hosts-2 {
		t.Errorf("asked about each host: %d alerts, want %d", len(got), hosts-2)
	}
	if got := eval(nil, now.Add(time.Second)); len(got) != hosts-2 {
		t.Errorf("asked about all: %d alerts, want %d", len(got), hosts-2)
	}
}
