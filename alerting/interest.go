package alerting

import (
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"thump/alerting/rules"
	"thump/alerting/store"
	"thump/internal/telemetry"
)

// wanted is a series that rules read.
type wanted struct {
	series store.Series
	groups []string // that read it
	host   string   // that it is about
	up     string   // the host that says here that it reports
}

// wantedBound is how many series are remembered; beyond it all are looked up anew.
const wantedBound = 500_000

// interest knows which series the rules read. What it finds of a series it
// writes into the decoder's note: the generation in the upper half, in the lower
// the place in found plus one, or zero if no rule reads it.
type interest struct {
	set        *rules.Set
	generation uint32
	found      []*wanted
}

// use makes it know set.
func (i *interest) use(set *rules.Set) {
	if i.set != set || len(i.found) > wantedBound {
		i.set, i.found = set, nil
		i.generation++
	}
}

// of returns the series if a rule reads it, else nil.
func (i *interest) of(r *telemetry.Run) *wanted {
	if uint32(r.Note>>32) == i.generation {
		if place := uint32(r.Note); place > 0 {
			return i.found[place-1]
		}
		return nil
	}
	r.Note = uint64(i.generation) << 32
	w := i.look(r.Series())
	if w != nil {
		i.found = append(i.found, w)
		r.Note |= uint64(len(i.found))
	}
	return w
}

func (i *interest) look(s *telemetry.Series) *wanted {
	if !i.set.Reads(s.Name()) {
		return nil
	}
	var b labels.ScratchBuilder
	for _, l := range s.Labels {
		if l.Value != "" { // to Prometheus the same as no label
			b.Add(l.Name, l.Value)
		}
	}
	return i.read(b.Labels())
}

// read returns what a rule reads of our own making, else nil.
func (i *interest) read(ls labels.Labels) *wanted {
	groups := i.set.Readers(nil, ls)
	if len(groups) == 0 {
		return nil
	}
	w := &wanted{series: store.Series{Labels: ls}, groups: groups, host: ls.Get("instance")}
	if ls.Get(model.MetricNameLabel) == upMetric && ls.Get("job") == nodeJob {
		w.up = w.host
	}
	return w
}
