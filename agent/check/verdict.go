package check

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"

	"thump/agent/probe"
	"thump/internal/telemetry"
)

// state is what a check found, as Nagios numbers it.
type state uint8

const (
	ok state = iota
	warning
	critical
	unknown
	states = 4
)

// String is the state in the words of a plugin.
func (s state) String() string { return [states]string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}[s] }

// verdict is a state and why.
type verdict struct {
	state state
	text  string
}

// worse replaces v by a verdict of s if that is worse; unknown counts as less
// than critical, since something known to be broken must not hide.
func (v *verdict) worse(s state, format string, args ...any) {
	rank := [states]int{ok: 0, warning: 1, unknown: 2, critical: 3}
	if rank[s] > rank[v.state] {
		*v = verdict{s, fmt.Sprintf(format, args...)}
	}
}

// What every check gives.
var (
	checkState    = gauge("thump_check_state", "What a check found: 0 ok, 1 warning, 2 critical, 3 unknown.", "check")
	checkDuration = gauge("thump_check_duration_seconds", "How long a check took.", "check")
	checkInfo     = gauge("thump_check_info", "What a check said when it entered its state; always 1.", "check", "text")
)

func gauge(name, help string, labels ...string) *probe.Desc {
	return probe.NewDesc(name, telemetry.Gauge, help, labels...)
}

const (
	maxText   = 200       // bytes of a text in a label
	textEvery = time.Hour // in which a state takes no new text
)

// staleMarker ends a series in history (Prometheus value.StaleNaN): a query joins
// a state with its text only if no second text is in the lookback.
var staleMarker = math.Float64frombits(0x7ff0000000000002)

// info publishes the text of a check. Texts carry numbers, and a label that
// changes with each run would make a series of each run. So the text is the one
// with which the check entered its state, which is what an alert wants to say;
// and a state keeps its text for an hour, so that a check that flaps makes at most
// four series an hour. The numbers themselves are series of the check.
type info struct {
	state state
	texts [states]string
	taken [states]time.Time // zero: never
	last  string            // text published last; "" before the first
}

func (i *info) add(s *probe.Sink, check string, v verdict, now time.Time) {
	entered := v.state != i.state || i.taken[v.state].IsZero()
	i.state = v.state
	if taken := i.taken[v.state]; taken.IsZero() || entered && now.Sub(taken) >= textEvery {
		i.texts[v.state], i.taken[v.state] = clean(v.text, v.state), now
	}
	text := i.texts[v.state]
	if i.last != "" && i.last != text {
		s.Add(checkInfo, staleMarker, check, i.last)
	}
	s.Add(checkInfo, 1, check, text)
	i.last = text
}

// clean makes one short line of printable UTF-8 of a text; it is never empty.
func clean(text string, s state) string {
	text = strings.ToValidUTF8(text[:min(len(text), 4*maxText)], "\uFFFD")
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText-len("…")], "") + "…"
	}
	if text == "" {
		return s.String()
	}
	return text
}
