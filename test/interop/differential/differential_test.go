package differential

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/promqltest"
)

// TestBuiltin replays Prometheus's own tests of PromQL: what they load goes into
// both servers, each test at a time of its own, and what they ask is asked of
// both, as it is there and as a range as well.
func TestBuiltin(t *testing.T) {
	want, got := prometheus(t), pipeline(t)
	all := sections(t)
	complete(t, all)
	base := time.Now().Add(-30 * 24 * time.Hour).Truncate(24 * time.Hour).UnixMilli()
	var samples []sample
	for i := range all {
		all[i].at(base)
		samples = append(samples, all[i].samples...)
		base += (all[i].length/hour + 1) * hour
	}
	write(t, samples, want, got)
	arrived(t, got, len(samples))
	var tally tally
	for _, s := range all {
		for _, q := range s.questions {
			tally.compare(t, want, got, s.file, q)
			if q.step == 0 {
				tally.compare(t, want, got, s.file, question{q.expr, q.end - hour/4, q.end, hour / 12})
			}
		}
	}
	tally.report(t, 2500)
}

const hour = int64(time.Hour / time.Millisecond)

// complete checks that no expression is missing.
func complete(t *testing.T, all []section) {
	t.Helper()
	exprs, err := promqltest.GetBuiltInExprs()
	if err != nil {
		t.Fatal(err)
	}
	asked := map[string]bool{}
	for _, s := range all {
		for _, q := range s.questions {
			asked[q.expr] = true
		}
	}
	exprs = slices.DeleteFunc(exprs, func(e string) bool { return asked[e] })
	if len(exprs) > 0 {
		t.Errorf("%d expressions are not asked: %q", len(exprs), exprs)
	}
}

// tally counts answers.
type tally struct{ same, errors, foreign, known int }

// compare asks both the same. What the older Prometheus cannot parse does not
// count.
func (y *tally) compare(t *testing.T, want, got server, origin string, q question) {
	t.Helper()
	a := q.ask(t, want)
	if a.code == http.StatusBadRequest && recent(q.expr) {
		y.foreign++
		return
	}
	b := q.ask(t, got)
	err := differ(a, b)
	switch {
	case err != nil && explained(origin, q.expr):
		y.known++
	case err != nil:
		t.Errorf("%s: %s\n%v", origin, q, err)
	case a.errorType != "":
		y.errors++
	default:
		y.same++
	}
}

func (y *tally) report(t *testing.T, least int) {
	t.Helper()
	t.Logf("%d answers are the same, %d errors are, %d differ as is known, %d questions are too new for the peer", y.same, y.errors, y.known, y.foreign)
	if y.known*10 > y.same { // of the builtin ones 6 %, of the generated ones 3 %
		t.Error("more than a tenth differ")
	}
	if y.same+y.errors < least {
		t.Errorf("%d answers compared, want %d at least", y.same+y.errors, least)
	}
}
