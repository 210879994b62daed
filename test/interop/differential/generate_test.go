package differential

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
)

// generated is how many expressions are made.
const generated = 500

// TestGenerated asks both for expressions that follow PromQL's grammar, of
// metrics that exist, at one moment and as a range; every twentieth is spoilt,
// for its error.
func TestGenerated(t *testing.T) {
	want, got := prometheus(t), pipeline(t)
	seed := seed(t)
	g := &generator{rand.New(rand.NewPCG(seed, 0))}
	base := time.Now().Add(-4 * time.Hour).Truncate(time.Hour).UnixMilli()
	samples := g.samples(base)
	write(t, samples, want, got)
	arrived(t, got, len(samples))
	var tally tally
	for i := range generated {
		expr := g.vector(3)
		if i%20 == 19 {
			expr = g.spoil(expr)
		}
		end := base + hour + g.Int64N(hour) | 1
		tally.compare(t, want, got, "generated", question{expr: expr, end: end})
		tally.compare(t, want, got, "generated", question{expr, end - hour/2, end, g.of64(15_000, 60_000, 61_001, 300_000)})
	}
	tally.report(t, 2*generated*19/20)
}

// seed is the same each time, unless THUMP_SEED says otherwise.
func seed(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv("THUMP_SEED")
	switch text {
	case "":
		return 1
	case "random":
		n := rand.Uint64()
		t.Logf("THUMP_SEED=%d", n)
		return n
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatal("THUMP_SEED: ", err)
	}
	return n
}

// generator makes samples and expressions.
type generator struct{ *rand.Rand }

// samples are two hours of some metrics, every 15 s, a little late each time:
// counters that begin anew, gauges with gaps, NaN and infinity, series that end,
// and histograms.
func (g *generator) samples(base int64) (all []sample) {
	for _, instance := range []string{"a", "b", "c"} {
		for _, job := range []string{"web", "db"} {
			with := func(more ...string) labels.Labels {
				return labels.FromStrings(append([]string{"instance", instance, "job", job}, more...)...)
			}
			for _, code := range []string{"200", "404", "500"} {
				all = append(all, g.series(with("__name__", "requests_total", "code", code), base, g.counter())...)
			}
			all = append(all, g.series(with("__name__", "memory_bytes"), base, g.gauge())...)
			all = append(all, g.series(with("__name__", "temperature", "room", g.of("x", "y")), base, g.gauge())...)
			for i, le := range []string{"0.1", "0.5", "1", "+Inf"} {
				all = append(all, g.series(with("__name__", "latency_seconds_bucket", "le", le), base,
					func(step int) float64 { return float64(step%300) * float64(2*i+1) })...)
			}
			all = append(all, g.series(with("__name__", "build_info", "version", g.of("1", "2")), base, func(int) float64 { return 1 })...)
		}
	}
	return all
}

func (g *generator) counter() func(int) float64 {
	v := 0.0
	return func(int) float64 {
		v += math.Round(g.ExpFloat64()*1000) / 8
		if g.IntN(100) == 0 {
			v = g.Float64()
		}
		return v
	}
}

func (g *generator) gauge() func(int) float64 {
	v := g.NormFloat64() * 100
	return func(int) float64 {
		v += g.NormFloat64()
		switch g.IntN(200) {
		case 0:
			return math.NaN()
		case 1:
			return math.Inf(g.IntN(2)*2 - 1)
		}
		return v
	}
}

func (g *generator) series(ls labels.Labels, base int64, at func(int) float64) (all []sample) {
	late, gap := g.Int64N(14_000)|1, 0
	for i := range 2 * 60 * 4 {
		v := at(i)
		switch {
		case gap > 0:
			gap--
			continue
		case g.IntN(150) == 0:
			gap = g.IntN(40)
			v = math.Float64frombits(value.StaleNaN)
		}
		all = append(all, sample{ls, base + int64(i)*15_000 + late, v})
	}
	return all
}

func (g *generator) of(choices ...string) string { return choices[g.IntN(len(choices))] }

func (g *generator) of64(choices ...int64) int64 { return choices[g.IntN(len(choices))] }

// vector is an expression of type instant vector, at most so deep.
func (g *generator) vector(depth int) string {
	if depth == 0 {
		return g.selector() + g.shift()
	}
	v := func() string { return g.vector(depth - 1) }
	switch g.IntN(16) {
	case 0, 1:
		return g.selector() + g.shift()
	case 2, 3, 4:
		return g.overTime(depth - 1)
	case 5, 6, 7:
		return g.aggregation(depth - 1)
	case 8:
		return g.of("abs", "ceil", "floor", "exp", "ln", "log2", "log10", "sqrt", "sgn", "round", "timestamp", "hour", "minute", "day_of_week",
			"sin", "cos", "tanh", "deg", "rad", "absent", "sort", "sort_desc", "days_in_month") + "(" + v() + ")"
	case 9:
		return g.of("clamp_min", "clamp_max", "round") + "(" + v() + ", " + g.scalar(depth-1) + ")"
	case 10:
		return fmt.Sprintf("histogram_quantile(%s, %s)", g.of("0", "0.5", "0.9", "1", "2"), g.of("sum by (le) (rate(latency_seconds_bucket[5m]))", "latency_seconds_bucket", "rate(latency_seconds_bucket"+g.window()+")"))
	case 11:
		return g.of(`label_replace(`+v()+`, "dst", "$1-x", "instance", "(.*)")`, `label_join(`+v()+`, "dst", "-", "job", "instance")`, `label_replace(`+v()+`, "job", "", "job", "d.*")`)
	case 12:
		return "(" + v() + " " + g.of("and", "or", "unless") + " " + g.on() + v() + ")"
	case 13:
		return "(" + v() + " " + g.arithmetic() + " " + g.on() + v() + ")"
	case 14:
		return "(" + v() + " " + g.arithmetic() + " " + g.scalar(depth-1) + ")"
	}
	return g.of("-"+v(), "vector("+g.scalar(depth-1)+")", "("+g.selector()+" "+g.comparison()+" "+g.scalar(depth-1)+")",
		"("+g.selector()+" * on (instance, job) group_left (version) build_info)", "clamp("+v()+", -10, "+g.scalar(0)+")")
}

func (g *generator) selector() string {
	metric := g.of("requests_total", "memory_bytes", "temperature", "latency_seconds_bucket", "build_info", "nothing")
	return metric + g.of("", "", "", `{job="web"}`, `{instance=~"a|b"}`, `{job!="db",instance!~"c.*"}`, `{code="500"}`, `{room=""}`, `{le=~".+"}`)
}

// shift moves a selector in time.
func (g *generator) shift() string {
	return g.of("", "", "", "", " offset 7m", " offset -3m", " @ end()", " @ start() offset 1m")
}

func (g *generator) window() string { return "[" + g.of("1m", "5m", "7m30s", "1h") + "]" }

// overTime is a function of a range.
func (g *generator) overTime(depth int) string {
	r := g.selector() + g.window() + g.shift()
	if depth > 0 && g.IntN(3) == 0 {
		r = "(" + g.vector(depth-1) + ")[" + g.of("10m:1m", "30m:5m", "5m1s:17s", "6m:") + "]" + g.shift()
	}
	if g.IntN(6) == 0 {
		return g.of("quantile_over_time(0.9, "+r+")", "predict_linear("+r+", 600)", "quantile_over_time("+g.scalar(0)+", "+r+")")
	}
	return g.of("rate", "increase", "delta", "irate", "idelta", "deriv", "resets", "changes", "avg_over_time", "min_over_time", "max_over_time",
		"sum_over_time", "count_over_time", "stddev_over_time", "stdvar_over_time", "last_over_time", "present_over_time", "absent_over_time") + "(" + r + ")"
}

func (g *generator) aggregation(depth int) string {
	by := g.of("", "by (job) ", "by (instance, job) ", "without (instance) ", "by () ", "without (code, le) ", "by (missing) ")
	v := "(" + g.vector(depth) + ")"
	switch g.IntN(8) {
	case 0: // which of two that are the same is the greatest is nowhere said
		return g.of("topk", "bottomk") + " " + by + "(" + g.of("1", "2", "5") + ", requests_total" + g.shift() + ")"
	case 1:
		return "quantile " + by + "(" + g.of("0", "0.5", "0.99", "-1") + ", " + v + ")"
	case 2:
		return "count_values " + by + `("value", round(` + v + "))"
	}
	return g.of("sum", "avg", "min", "max", "count", "group", "stddev", "stdvar") + " " + by + v
}

func (g *generator) scalar(depth int) string {
	if depth <= 0 {
		return g.of("0", "1", "2.5", "-3", "1e3", "Inf", "NaN", "0x1f", "time()", "pi()")
	}
	return g.of("scalar("+g.vector(depth-1)+")", "("+g.scalar(depth-1)+" "+g.arithmetic()+" "+g.scalar(depth-1)+")", "("+g.scalar(depth-1)+" "+strings.TrimSuffix(g.comparison(), " bool")+" bool "+g.scalar(depth-1)+")")
}

func (g *generator) arithmetic() string { return g.of("+", "-", "*", "/", "%", "^") }

func (g *generator) comparison() string {
	return g.of("==", "!=", ">", "<", ">=", "<=", "> bool", "== bool")
}

// on says which labels have to match; now and then they match many to many.
func (g *generator) on() string {
	return g.of("", "", "", "on (instance, job) ", "ignoring (code, le, room, version) ", "on (job) ")
}

// spoil makes an error of an expression.
func (g *generator) spoil(expr string) string {
	return g.of(expr+")", "("+expr, "rate("+expr+")", expr+" +", "unknown("+expr+")", "sum("+expr+"[5m])", expr+` and "x"`, "scalar(1) and "+expr, `{}`, `{job=~".*"}`,
		`{job=~"("}`, "("+expr+") + on (job) group_left () ("+expr+")", `label_replace(`+expr+`, "dst", "", "job", "(")`, "quantile_over_time("+expr+")", "topk(NaN, "+expr+")")
}
